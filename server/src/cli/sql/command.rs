//! Commands of the shell: lines that begin with a backslash.

use std::path::PathBuf;

use super::super::CliError;
use super::Form;
use super::session::Session;

/// What `\?` prints.
const HELP: &str = "\\d              tables
\\d TABLE        columns of a table
\\df             functions
\\copy SQL TO FILE [FORMAT csv|ndjson|json|arrow|parquet]
                answer of a statement into a file; the form is that of the file's name, else CSV
\\format FORM    form of answers: table, json, ndjson, csv
\\timing         tell how long statements take, or no more
\\i FILE         run the statements of a file
\\q              leave
Statements end with a semicolon and may go over several lines; Ctrl-C ends one that runs.";

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Stop,
}

/// A command of the shell.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Quit,
    Tables,
    Columns(String),
    Functions,
    Timing,
    Format(Form),
    Include(PathBuf),
    Copy { text: String, path: PathBuf, form: Form },
}

impl Command {
    /// Reads a line without its backslash.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match (word, rest) {
            ("?" | "h" | "help", _) => Ok(Self::Help),
            ("q" | "quit" | "exit", _) => Ok(Self::Quit),
            ("d" | "dt", "") => Ok(Self::Tables),
            ("d", table) => Ok(Self::Columns(table.to_owned())),
            ("df", _) => Ok(Self::Functions),
            ("timing", _) => Ok(Self::Timing),
            ("format", form) => match Form::parse(form) {
                Some(form) if !matches!(form, Form::Arrow | Form::Parquet) => Ok(Self::Format(form)),
                _ => Err(format!("\\format: {form:?} is not one of table, json, ndjson, csv")),
            },
            ("i", "") => Err("\\i: a file is needed".to_owned()),
            ("i", path) => Ok(Self::Include(PathBuf::from(path))),
            ("copy", rest) => copy(rest),
            _ => Err(format!("there is no command \\{word}; \\? lists them")),
        }
    }
}

/// `SQL TO FILE [FORMAT form]`, where the statement may be in brackets and the file in quotes.
fn copy(rest: &str) -> Result<Command, String> {
    let usage = || "\\copy: expected SQL TO FILE [FORMAT csv|ndjson|json|arrow|parquet]".to_owned();
    let lower = rest.to_ascii_lowercase();
    let to = lower.rfind(" to ").ok_or_else(usage)?;
    let (text, target) = (rest[..to].trim(), rest[to + 4..].trim());
    let format = target.to_ascii_lowercase().rfind(" format ");
    let (path, form) = match format {
        Some(at) => {
            let form = Form::parse(target[at + 8..].trim()).filter(|form| *form != Form::Table);
            (target[..at].trim(), form.ok_or_else(usage)?)
        }
        None => (target, form_of(target)),
    };
    let path = path.trim_matches(['\'', '"']);
    let text = match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => inner.trim(),
        None => text,
    };
    if text.is_empty() || path.is_empty() {
        return Err(usage());
    }
    Ok(Command::Copy { text: text.to_owned(), path: PathBuf::from(path), form })
}

/// The form that a file's name ends with.
fn form_of(path: &str) -> Form {
    let ending = path.trim_matches(['\'', '"']).rsplit('.').next().unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "json" => Form::Json,
        "ndjson" | "jsonl" => Form::Ndjson,
        "arrow" | "arrows" => Form::Arrow,
        "parquet" => Form::Parquet,
        _ => Form::Csv,
    }
}

/// Does what a command says.
pub(super) async fn run(session: &mut Session, command: Command) -> Result<Next, CliError> {
    match command {
        Command::Help => println!("{HELP}"),
        Command::Quit => return Ok(Next::Stop),
        Command::Tables => {
            session.show("SELECT name, description FROM system.tables ORDER BY name", Form::Table).await?;
        }
        Command::Columns(table) => {
            let name = table.replace('\'', "''");
            let text = format!(
                "SELECT column_name, type, description FROM system.columns WHERE table_name = lower('{name}')"
            );
            session.show(&text, Form::Table).await?;
        }
        Command::Functions => {
            let text =
                "SELECT name, kind, call, description FROM system.functions ORDER BY call IS NULL, name";
            session.show(text, Form::Table).await?;
        }
        Command::Timing => {
            session.is_timed = !session.is_timed;
            println!("timing is {}", if session.is_timed { "on" } else { "off" });
        }
        Command::Format(form) => session.form = form,
        Command::Include(path) => {
            let text = super::read(&path)?;
            Box::pin(session.run_script(&text)).await?;
        }
        Command::Copy { text, path, form } => {
            let num_bytes = session.copy_to(&text, &path, form).await?;
            println!("wrote {num_bytes} bytes to {}", path.display());
        }
    }
    Ok(Next::Go)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(line: &str) -> (String, String, Form) {
        match Command::parse(line) {
            Ok(Command::Copy { text, path, form }) => (text, path.display().to_string(), form),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn commands_are_words_with_an_argument() {
        assert_eq!(Command::parse("d"), Ok(Command::Tables));
        assert_eq!(Command::parse("d system.queries;"), Ok(Command::Columns("system.queries".to_owned())));
        assert_eq!(Command::parse("q"), Ok(Command::Quit));
        assert_eq!(Command::parse("format CSV"), Ok(Command::Format(Form::Csv)));
        for line in ["", "dd", "format", "format parquet", "format xml", "i", "copy", "copy x", "copy TO a"] {
            assert!(Command::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_copy_has_a_statement_a_file_and_a_form() {
        let of = |text: &str, path: &str, form| (text.to_owned(), path.to_owned(), form);
        assert_eq!(copied("copy SELECT 1 TO a.csv"), of("SELECT 1", "a.csv", Form::Csv));
        assert_eq!(
            copied("copy (SELECT ' to ' FROM logs) to 'my file.parquet'"),
            of("SELECT ' to ' FROM logs", "my file.parquet", Form::Parquet)
        );
        assert_eq!(copied("copy SELECT 1 TO a FORMAT ndjson;"), of("SELECT 1", "a", Form::Ndjson));
    }
}
