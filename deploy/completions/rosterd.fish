# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rosterd_global_optspecs
    string join \n config= h/help V/version
end

function __fish_rosterd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rosterd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rosterd_using_subcommand
    set -l cmd (__fish_rosterd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rosterd -n "__fish_rosterd_needs_command" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_needs_command" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_needs_command" -s V -l version -d 'Print version'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "serve" -d 'Run the daemon'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "check-config" -d 'Say everything that is wrong with the configuration'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "account" -d 'Manage the accounts, which own queues and users'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "login" -d 'Manage who may log in to the API for an account, and their sessions'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "token" -d 'Manage the tokens with which programs use the API'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "audit" -d 'Show who changed what, the newest first'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "status" -d 'Show the link, and every queue with its show and who is on'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "doctor" -d 'Look at everything: configuration, files, certificate, store, link, clock, disk and limits, whether rosterd runs or not'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "backup" -d 'Write everything that makes up this rosterd to a file, whether it runs or not: accounts, users, queues, who staffs what, followers, sessions, tokens, the audit log, and the certificate and key that rosterd made for itself. `rosterd restore` puts it back'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "restore" -d 'Put a backup in the place of what is stored, while rosterd does not run. Exports are taken, too, of every version'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "export" -d 'Write all records to a file, as JSON lines: for programs, and for another deployment'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "import" -d 'Read an export into an empty store, through the daemon where it runs. (`rosterd restore` puts a backup back.)'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "reload" -d 'Have the daemon take over what has changed in its configuration, and its certificate, without a restart'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "log-level" -d 'Show how much the daemon logs, or change it while it runs'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "metrics" -d 'Print what Prometheus is told: counters, gauges and histograms'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "healthcheck" -d 'Succeed if the daemon runs and does its work; for container and cluster health checks'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "completions" -d 'Print a script with which a shell completes these commands: `source <(rosterd completions bash)`'
complete -c rosterd -n "__fish_rosterd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand serve" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand serve" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand check-config" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand check-config" -l example -d 'Print a file with every key, commented, with its default, instead'
complete -c rosterd -n "__fish_rosterd_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "add" -d 'Make an account, with a login of the same name who owns it; its password is asked for'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "list" -d 'List the accounts, one name a line, with the JIDs that are linked to it behind it'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "remove" -d 'Remove an account, with its logins and tokens'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "password" -d 'Give the login of the account\'s name another password, and end its sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "link" -d 'Let a JID manage the account\'s queues from a chat client (ad-hoc commands). One JID may be linked to several accounts'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "unlink" -d 'Let a JID manage an account no longer'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and not __fish_seen_subcommand_from add list remove password link unlink help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from add" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from add" -l password-stdin -d 'Read the password from the first line of standard input instead of asking for it twice'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from list" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from remove" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from remove" -l force -d 'Remove its users and queues too'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from password" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from password" -l password-stdin -d 'Read the password from the first line of standard input instead of asking for it twice'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from password" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from link" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from link" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from unlink" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from unlink" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make an account, with a login of the same name who owns it; its password is asked for'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the accounts, one name a line, with the JIDs that are linked to it behind it'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove an account, with its logins and tokens'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "password" -d 'Give the login of the account\'s name another password, and end its sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "link" -d 'Let a JID manage the account\'s queues from a chat client (ad-hoc commands). One JID may be linked to several accounts'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "unlink" -d 'Let a JID manage an account no longer'
complete -c rosterd -n "__fish_rosterd_using_subcommand account; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "add" -d 'Let somebody log in to an account; their password is asked for'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "list" -d 'List the logins, one a line: name, role, account, open sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "password" -d 'Give a login another password, and end its sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "role" -d 'Give a login another role. What is open goes on, with the new role'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "remove" -d 'Remove a login, and end its sessions. An account keeps one owner'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "sessions" -d 'List where a login is logged in, one a line: since when, last used when, from where'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "logout" -d 'End all sessions of a login'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and not __fish_seen_subcommand_from add list password role remove sessions logout help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from add" -l role -d 'viewer (reads), supervisor (also enables and suspends) or owner (everything)' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from add" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from add" -l password-stdin -d 'Read the password from the first line of standard input instead of asking for it twice'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from list" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from password" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from password" -l password-stdin -d 'Read the password from the first line of standard input instead of asking for it twice'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from password" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from role" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from role" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from remove" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from sessions" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from sessions" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from logout" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from logout" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "add" -d 'Let somebody log in to an account; their password is asked for'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the logins, one a line: name, role, account, open sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "password" -d 'Give a login another password, and end its sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "role" -d 'Give a login another role. What is open goes on, with the new role'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a login, and end its sessions. An account keeps one owner'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "sessions" -d 'List where a login is logged in, one a line: since when, last used when, from where'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "logout" -d 'End all sessions of a login'
complete -c rosterd -n "__fish_rosterd_using_subcommand login; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "add" -d 'Make a token for a program, and print it, this once: what is kept can not be turned back'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "list" -d 'List the tokens, one a line: name, role, account, made when, expires when, last used when'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "revoke" -d 'Take a token back'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and not __fish_seen_subcommand_from add list revoke help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from add" -l name -d 'What to call it: the program that uses it' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from add" -l role -d 'viewer (reads), supervisor (also enables and suspends) or owner (everything)' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from add" -l expires -d 'How long it is good, such as 90days; for ever where nothing is said' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from add" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from list" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from revoke" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a token for a program, and print it, this once: what is kept can not be turned back'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the tokens, one a line: name, role, account, made when, expires when, last used when'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Take a token back'
complete -c rosterd -n "__fish_rosterd_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l account -d 'Only about things of the account with this name, or that had it last' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l since -d 'Only from then on: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2days' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l until -d 'Only before then' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l who -d 'Only of this login, token, JID or number of a local user' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l what -d 'Only of this kind, such as operator, or operator.suspend' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l queue -d 'Only about the queue with this name or number' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l user -d 'Only about the user with this name or number' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l limit -d 'How many at the most' -r
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -l json -d 'Print a JSON object a line'
complete -c rosterd -n "__fish_rosterd_using_subcommand audit" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -l json -d 'Print everything as JSON, with the reasons of every show'
complete -c rosterd -n "__fish_rosterd_using_subcommand status" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand doctor" -l salvage -d 'For a damaged store without a backup: write every record that can be read to this file, and name what can not be. rosterd has to be stopped; a copy is read. `rosterd restore --accept-losses` takes the file' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand doctor" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand doctor" -l json -d 'Print everything as JSON'
complete -c rosterd -n "__fish_rosterd_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand backup" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand backup" -l force -d 'Replace the file if it is there'
complete -c rosterd -n "__fish_rosterd_using_subcommand backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand restore" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand restore" -l force -d 'Where there is a store already, rename that and go on'
complete -c rosterd -n "__fish_rosterd_using_subcommand restore" -l accept-losses -d 'Take a file that was saved from a damaged store (`rosterd doctor --salvage`), without what its first line says is missing'
complete -c rosterd -n "__fish_rosterd_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rosterd -n "__fish_rosterd_using_subcommand export" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand export" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand import" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand import" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand reload" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand reload" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand log-level" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand log-level" -l reset -d 'Log what the configuration says'
complete -c rosterd -n "__fish_rosterd_using_subcommand log-level" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand metrics" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand metrics" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand healthcheck" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand healthcheck" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -l config -d 'The configuration file [default: /etc/rosterd/rosterd.toml]. Environment variables `ROSTERD__SECTION__KEY` go over it' -r -F
complete -c rosterd -n "__fish_rosterd_using_subcommand completions" -s h -l help -d 'Print help'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "serve" -d 'Run the daemon'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "check-config" -d 'Say everything that is wrong with the configuration'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "account" -d 'Manage the accounts, which own queues and users'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "login" -d 'Manage who may log in to the API for an account, and their sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "token" -d 'Manage the tokens with which programs use the API'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "audit" -d 'Show who changed what, the newest first'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "status" -d 'Show the link, and every queue with its show and who is on'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "doctor" -d 'Look at everything: configuration, files, certificate, store, link, clock, disk and limits, whether rosterd runs or not'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "backup" -d 'Write everything that makes up this rosterd to a file, whether it runs or not: accounts, users, queues, who staffs what, followers, sessions, tokens, the audit log, and the certificate and key that rosterd made for itself. `rosterd restore` puts it back'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "restore" -d 'Put a backup in the place of what is stored, while rosterd does not run. Exports are taken, too, of every version'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "export" -d 'Write all records to a file, as JSON lines: for programs, and for another deployment'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "import" -d 'Read an export into an empty store, through the daemon where it runs. (`rosterd restore` puts a backup back.)'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "reload" -d 'Have the daemon take over what has changed in its configuration, and its certificate, without a restart'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "log-level" -d 'Show how much the daemon logs, or change it while it runs'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "metrics" -d 'Print what Prometheus is told: counters, gauges and histograms'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "healthcheck" -d 'Succeed if the daemon runs and does its work; for container and cluster health checks'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "completions" -d 'Print a script with which a shell completes these commands: `source <(rosterd completions bash)`'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and not __fish_seen_subcommand_from serve check-config account login token audit status doctor backup restore export import reload log-level metrics healthcheck completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "add" -d 'Make an account, with a login of the same name who owns it; its password is asked for'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "list" -d 'List the accounts, one name a line, with the JIDs that are linked to it behind it'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "remove" -d 'Remove an account, with its logins and tokens'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "password" -d 'Give the login of the account\'s name another password, and end its sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "link" -d 'Let a JID manage the account\'s queues from a chat client (ad-hoc commands). One JID may be linked to several accounts'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from account" -f -a "unlink" -d 'Let a JID manage an account no longer'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "add" -d 'Let somebody log in to an account; their password is asked for'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "list" -d 'List the logins, one a line: name, role, account, open sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "password" -d 'Give a login another password, and end its sessions'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "role" -d 'Give a login another role. What is open goes on, with the new role'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "remove" -d 'Remove a login, and end its sessions. An account keeps one owner'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "sessions" -d 'List where a login is logged in, one a line: since when, last used when, from where'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from login" -f -a "logout" -d 'End all sessions of a login'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "add" -d 'Make a token for a program, and print it, this once: what is kept can not be turned back'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "list" -d 'List the tokens, one a line: name, role, account, made when, expires when, last used when'
complete -c rosterd -n "__fish_rosterd_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "revoke" -d 'Take a token back'
