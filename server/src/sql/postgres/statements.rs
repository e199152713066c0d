//! What statements of a session do.

use arrow::datatypes::SchemaRef;
use engine::sql::{SessionStatement, SqlValue, session_statements};
use futures::future::BoxFuture;
use pgwire::api::portal::Format;
use pgwire::api::results::{Response, Tag};
use pgwire::api::store::PortalStore;
use pgwire::error::PgWireResult;

use super::cursor::{Cursor, batches_of};
use super::session::{Kept, Session};
use super::{errors, rows, variables};
use crate::error::ApiError;

/// Tells the statements of a text apart.
///
/// # Errors
/// When one of them is nothing that a session has.
pub(super) fn statements_of(text: &str) -> PgWireResult<Vec<SessionStatement>> {
    session_statements(text).map_err(|error| errors::of_statement(ApiError::from(error)))
}

/// Does what a statement says. Answers of other types than announced become those.
///
/// # Errors
/// As the statement does.
pub(super) fn run<'a>(
    session: &'a Session,
    statement: SessionStatement,
    parameters: Vec<SqlValue>,
    announced: Option<SchemaRef>,
    format: &'a Format,
) -> BoxFuture<'a, PgWireResult<Response>> {
    Box::pin(run_it(session, statement, parameters, announced, format))
}

async fn run_it(
    session: &Session,
    statement: SessionStatement,
    parameters: Vec<SqlValue>,
    announced: Option<SchemaRef>,
    format: &Format,
) -> PgWireResult<Response> {
    let done = |word: &str| Response::Execution(Tag::new(word));
    Ok(match statement {
        SessionStatement::Query(text) => {
            let (answer, cancelled) = session.ask(text, parameters).await?;
            let (schema, batches) = batches_of(answer, announced, cancelled);
            Response::Query(rows::response(&schema, batches, format)?)
        }
        SessionStatement::Set { name, value } => {
            session.set(&name, &value);
            done("SET")
        }
        SessionStatement::Reset => {
            session.reset();
            done("RESET")
        }
        SessionStatement::Show(name) => match variables::value_of(session, &name) {
            Some(value) => {
                let mut response = rows::one_text(&name, &value)?;
                response.set_command_tag("SHOW");
                Response::Query(response)
            }
            None => {
                return Err(errors::because(
                    "42704",
                    format!("unrecognized configuration parameter {name:?}"),
                ));
            }
        },
        SessionStatement::Begin => Response::TransactionStart(Tag::new("BEGIN")),
        SessionStatement::Commit => {
            session.close_cursors(None);
            Response::TransactionEnd(Tag::new("COMMIT"))
        }
        SessionStatement::Rollback => {
            session.close_cursors(None);
            Response::TransactionEnd(Tag::new("ROLLBACK"))
        }
        SessionStatement::Declare { name, query } => {
            let (answer, cancelled) = session.ask(query, parameters).await?;
            let (schema, batches) = batches_of(answer, None, cancelled);
            session.open_cursor(name, Cursor::new(schema, batches))?;
            done("DECLARE CURSOR")
        }
        SessionStatement::Fetch { name, max_rows } => {
            let cursor = session.cursor(&name)?;
            let batches = cursor.fetch(max_rows).await;
            let mut response = rows::response(cursor.schema(), batches, format)?;
            response.set_command_tag("FETCH");
            Response::Query(response)
        }
        SessionStatement::Close(name) => {
            session.close_cursors(name.as_deref());
            done("CLOSE CURSOR")
        }
        // Prepared statements are with the client's connection: see [`forget`].
        SessionStatement::Deallocate(_) => done("DEALLOCATE"),
        SessionStatement::Discard => {
            session.close_cursors(None);
            session.reset();
            done("DISCARD ALL")
        }
    })
}

/// Forgets the prepared statements that a statement says are not wanted any more.
pub(super) fn forget(session: &Session, store: &impl PortalStore, statement: &SessionStatement) {
    let names = match statement {
        SessionStatement::Deallocate(Some(name)) => vec![name.clone()],
        SessionStatement::Deallocate(None) | SessionStatement::Discard => session.prepared(),
        _ => return,
    };
    for name in names {
        session.forget(Kept::Statement, &name);
        store.rm_statement(&name);
    }
}
