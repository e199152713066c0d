//! Lines that are typed: over several lines, with history and completion.

use std::borrow::Cow;
use std::path::PathBuf;

use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal, ValidationResult, Validator,
    default_emacs_keybindings,
};

use super::super::CliError;
use super::command::Next;
use super::completion::Names;
use super::script::{is_blank, split};
use super::session::Session;

/// Lines of the history.
const HISTORY_LINES: usize = 10_000;
const MENU: &str = "completion_menu";

/// Reads statements from the terminal and runs them, until the end.
pub(super) async fn converse(mut session: Session) -> Result<(), CliError> {
    println!("Timberline SQL; \\? for help, \\q to leave");
    let names = Names::ask(&session.door).await?;
    let mut editor = editor(names)?;
    loop {
        // Typing waits for a person: that must not hold up the runtime.
        let (back, signal) = tokio::task::spawn_blocking(move || {
            let signal = editor.read_line(&Marker);
            (editor, signal)
        })
        .await
        .map_err(|error| CliError::Remote(format!("the terminal failed: {error}")))?;
        editor = back;
        let text = match signal.map_err(CliError::Print)? {
            Signal::Success(text) => text,
            Signal::CtrlD => return Ok(()),
            _ => continue,
        };
        if run_all(&mut session, &text).await == Next::Stop {
            return Ok(());
        }
    }
}

/// Runs what was typed. What fails is told, and the conversation goes on.
async fn run_all(session: &mut Session, text: &str) -> Next {
    let (statements, rest) = split(text);
    let rest = (!is_blank(rest)).then(|| rest.trim().to_owned());
    for statement in statements.into_iter().chain(rest) {
        let outcome = tokio::select! {
            outcome = session.run(&statement) => outcome,
            // Whoever gives up an answer ends its statement.
            _ = tokio::signal::ctrl_c() => {
                eprintln!("ended");
                return Next::Go;
            }
        };
        match outcome {
            Ok(Next::Stop) => return Next::Stop,
            Ok(Next::Go) => {}
            Err(error) => {
                eprintln!("{error}");
                return Next::Go;
            }
        }
    }
    Next::Go
}

fn editor(names: Names) -> Result<Reedline, CliError> {
    let mut keys = default_emacs_keybindings();
    let complete =
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    let menu = ColumnarMenu::default().with_name(MENU);
    let editor = Reedline::create()
        .with_validator(Box::new(UntilSemicolon))
        .with_completer(Box::new(names))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    let Some(path) = history_path() else { return Ok(editor) };
    let history = FileBackedHistory::with_file(HISTORY_LINES, path.clone());
    match history {
        Ok(history) => Ok(editor.with_history(Box::new(history))),
        Err(error) => {
            eprintln!("without history: {}: {error}", path.display());
            Ok(editor)
        }
    }
}

/// In the folder for what programs remember.
fn history_path() -> Option<PathBuf> {
    let folder = match std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").filter(|home| !home.is_empty())?).join(".local/state"),
    };
    Some(folder.join("timberline").join("sql_history"))
}

/// Lines go on until the statement ends.
struct UntilSemicolon;

impl Validator for UntilSemicolon {
    fn validate(&self, line: &str) -> ValidationResult {
        let (_, rest) = split(line);
        if is_blank(rest) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

struct Marker;

impl Prompt for Marker {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("sql")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("...> ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("search {}: ", search.term))
    }
}
