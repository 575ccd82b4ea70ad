//! Everything that is stored, from the daemon where it runs, into a file: what `export` and `backup` have in common.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
};

use anyhow::{Context, anyhow};

use super::{Code, Failure, daemon, terminal};
use crate::{
    app,
    config::Settings,
    http::admin::Form,
    store::{
        self, Store,
        dump::{self, DumpError, Tally, WriteError},
    },
};

/// What was written.
pub(super) struct Written {
    pub(super) tally: Tally,
    pub(super) bytes: u64,
}

/// Whether `file` stands for standard output.
pub(super) fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Writes everything to `file`; one that is there already is replaced only where `replace` says so.
pub(super) fn write(settings: &Settings, form: Form, file: &Path, replace: bool) -> Result<Written, Failure> {
    if !is_stdout(file) && store::is_own(&settings.store.path, file) {
        let what = anyhow!("{} is a file that rosterd needs itself: name another one", file.display());
        return Err(Failure::new(Code::Failed, what));
    }
    let (verb, file) = (verb(form), file.to_owned());
    let named = |failure: Failure| failure.about(format!("nothing was written to {}", file.display()));
    daemon::runtime()?.block_on(async {
        if let Some(stream) = daemon::connect(&settings.admin.socket).await? {
            let file = file.clone();
            let take =
                move |input: &mut dyn BufRead| to_file(&file, replace, verb, |out, bar| pass_on(input, out, bar));
            return daemon::dump(stream, form, take).await?.map_err(named);
        }
        let store = app::open_store(settings)?;
        let form = app::form_of(form, &settings.store.path).context("could not read what belongs into a backup")?;
        let mut snapshot = store.trail().snapshot(form.with_audit())?;
        let write = |out: &mut dyn Write, bar: &mut dyn FnMut(u64)| {
            dump::write_snapshot(&mut *snapshot, form, out, bar).map_err(|error| match error {
                WriteError::Io(error) => anyhow::Error::from(error).into(),
                WriteError::Store(error) => Failure::from(error),
            })
        };
        to_file(&file, replace, verb, write).map_err(named)
    })
}

const fn verb(form: Form) -> &'static str {
    match form {
        Form::Export => "exporting",
        Form::Backup => "backing up",
    }
}

/// Lets `write` write to a file, which is there as a whole or not at all, or to standard output.
fn to_file(
    file: &Path,
    replace: bool,
    verb: &'static str,
    write: impl FnOnce(&mut dyn Write, &mut dyn FnMut(u64)) -> Result<Tally, Failure>,
) -> Result<Written, Failure> {
    let bar = terminal::counting(verb);
    let mut progress = |done| bar.set_position(done);
    let mut bytes = 0;
    let counted = |out: &mut dyn Write| {
        let mut out = Counted { out, bytes: 0 };
        let tally = write(&mut out, &mut progress)?;
        out.flush()?;
        bytes = out.bytes;
        Ok(tally)
    };
    let tally: Result<Tally, Failure> = if is_stdout(file) {
        counted(&mut io::BufWriter::new(io::stdout().lock()))
    } else {
        dump::write_whole(file, replace, counted)
    };
    bar.finish_and_clear();
    Ok(Written { tally: tally?, bytes })
}

/// Passes on what the daemon wrote, and reads it on the way: what is not whole is an error.
fn pass_on(input: &mut dyn BufRead, out: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> Result<Tally, Failure> {
    let mut lines = 0;
    let input = BufReader::new(Tee { input, out });
    let read = dump::read_parts(input, |_| {
        lines += 1;
        progress(lines);
    });
    read.map(|(_, tally)| tally).map_err(|error| {
        if let DumpError::BrokenOff(why) = error {
            return Failure::new(Code::Store, anyhow!(why));
        }
        Failure::new(Code::Failed, anyhow::Error::new(error).context("what the daemon wrote can not be read"))
    })
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What is read from it is written, too.
struct Tee<'a> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.out.write_all(&buffer[..length])?;
        Ok(length)
    }
}
