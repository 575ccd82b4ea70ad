//! The units that are shipped for systemd: it has nothing to say against them, and finds little that they expose.

#[path = "support/skip.rs"]
mod skip;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd");
const UNITS: [&str; 4] = ["rosterd.service", "rosterd.socket", "rosterd-backup.service", "rosterd-backup.timer"];
/// Units of systemd's own that every unit rests on.
const GIVEN: [&str; 5] =
    ["basic.target", "network-online.target", "shutdown.target", "sockets.target", "sysinit.target"];

/// Whether `systemd-analyze` is there. Where it is not, that is an error in CI, and loud elsewhere.
fn is_there() -> bool {
    if Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let what = "tests of the units: systemd-analyze can not be had (Debian: systemd)";
    assert!(std::env::var_os("CI").is_none(), "in CI this may not be skipped: {what}");
    skip::skip(what);
    false
}

/// A machine's files, with the units and the program as they are installed.
struct Machine {
    root: TempDir,
    units: PathBuf,
}

impl Machine {
    /// With the drop-in for loopback only, or without.
    fn new(loopback_only: bool) -> Result<Self> {
        let root = tempfile::tempdir()?;
        let units = root.path().join("usr/lib/systemd/system");
        fs::create_dir_all(units.join("rosterd.service.d"))?;
        for program in ["usr/bin/rosterd", "bin/sh"] {
            let program = root.path().join(program);
            fs::create_dir_all(program.parent().context("it is in a folder")?)?;
            fs::write(&program, "")?;
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        }
        for unit in GIVEN {
            fs::write(units.join(unit), "[Unit]\nDescription=given\n")?;
        }
        for unit in UNITS {
            fs::copy(Path::new(SHIPPED).join(unit), units.join(unit)).context(unit)?;
        }
        if loopback_only {
            let name = "loopback-only.conf";
            fs::copy(Path::new(SHIPPED).join(name), units.join("rosterd.service.d").join(name)).context(name)?;
        }
        Ok(Self { root, units })
    }

    fn analyze(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new("systemd-analyze");
        command.arg("--no-pager").arg(arguments[0]).arg("--root").arg(self.root.path()).args(&arguments[1..]);
        Ok(command.output()?)
    }

    /// What systemd says against them.
    fn complaints(&self) -> Result<String> {
        let output = self.analyze(&[&["verify", "--man=no"], &UNITS[..]].concat())?;
        let said = [output.stdout, output.stderr].concat();
        Ok(format!("{}{}", if output.status.success() { "" } else { "failed: " }, String::from_utf8_lossy(&said)))
    }

    /// What is exposed, of ten: an error where it is more than `most` tenths.
    fn exposure(&self, most: u32) -> Result<String> {
        let threshold = format!("--threshold={most}");
        let output = self.analyze(&["security", "--offline=true", &threshold, "rosterd.service"])?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success() && output.stderr.is_empty(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }
}

#[test]
fn systemd_has_nothing_to_say_against_them() -> Result<()> {
    if is_there() {
        for loopback_only in [false, true] {
            assert_eq!(Machine::new(loopback_only)?.complaints()?, "");
        }
        // It would say so.
        let machine = Machine::new(false)?;
        let service = machine.units.join("rosterd.service");
        fs::write(&service, fs::read_to_string(&service)?.replace("PrivateTmp=", "PrivateTemp="))?;
        let complaints = machine.complaints()?;
        ensure!(
            complaints.contains("Unknown key 'PrivateTemp'") || complaints.contains("Unknown key name"),
            "{complaints}"
        );
    }
    Ok(())
}

#[test]
fn little_is_exposed() -> Result<()> {
    if is_there() {
        Machine::new(false)?.exposure(12)?;
        Machine::new(true)?.exposure(9)?;
        // Without the drop-in it is more, so that is read.
        let error = format!("{:#}", Machine::new(false)?.exposure(9).unwrap_err());
        ensure!(error.contains("Overall exposure level"), "{error}");
    }
    Ok(())
}

/// What is left of the exposure is justified in the unit: nothing else is left.
#[test]
fn what_is_left_is_justified() -> Result<()> {
    if is_there() {
        for (loopback_only, file) in [(false, "rosterd.service"), (true, "loopback-only.conf")] {
            let text = fs::read_to_string(Path::new(SHIPPED).join(file))?;
            // What is set there justifies nothing.
            let comments: String = text.lines().filter(|line| line.starts_with('#')).collect();
            let said = Machine::new(loopback_only)?.exposure(12)?;
            let left: Vec<_> = said.lines().filter_map(|line| line.strip_prefix('✗')).collect();
            ensure!(left.len() >= 5, "{said}");
            for item in left {
                let name = item.split_whitespace().next().and_then(|name| name.split(['=', '/']).next());
                let name = name.context("an item has a name")?;
                ensure!(comments.contains(&format!("{name}=")), "{file} says nothing of {name}: {item}");
            }
        }
    }
    Ok(())
}
