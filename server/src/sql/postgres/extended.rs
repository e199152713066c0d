//! Statements with parameters: the extended way, which drivers take.

use std::fmt::Debug;
use std::ops::DerefMut;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow_pg::datatypes::into_pg_type;
use async_trait::async_trait;
use engine::sql::{SessionStatement, SqlValue, plain_schema};
use futures::{Sink, SinkExt};
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{
    ExtendedQueryHandler, send_describe_response, send_execution_response, send_partial_query_response,
};
use pgwire::api::results::{DescribePortalResponse, DescribeStatementResponse, FieldInfo, Response, Tag};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Bind, Close, Describe, Execute, Parse, TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::EmptyQueryResponse;

use super::session::{Kept, Session};
use super::{errors, parameters, rows, statements};

/// Most rows that a client is sent before it asks for more.
const MAX_ROWS: usize = 1_000_000_000;

/// A prepared statement.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    statement: SessionStatement,
    /// What it answers; none when it answers without rows.
    schema: Option<SchemaRef>,
    parameters: Vec<Type>,
}

/// Runs prepared statements.
pub(super) struct Extended {
    session: Arc<Session>,
    parser: Arc<Preparing>,
}

impl Extended {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { parser: Arc::new(Preparing(Arc::clone(&session))), session }
    }
}

/// Prepares statements.
pub(super) struct Preparing(Arc<Session>);

impl Preparing {
    /// What a statement answers and takes.
    async fn describe(&self, statement: &SessionStatement) -> PgWireResult<(Option<SchemaRef>, Vec<Type>)> {
        let text = match statement {
            SessionStatement::Query(text) => text,
            SessionStatement::Declare { query, .. } => {
                let described = self.0.describe(query.clone(), Vec::new()).await?;
                return Ok((None, types_of(&described.parameters)));
            }
            SessionStatement::Fetch { name, .. } => {
                return Ok((Some(Arc::clone(self.0.cursor(name)?.schema())), Vec::new()));
            }
            _ => return Ok((None, Vec::new())),
        };
        let described = self.0.describe(text.clone(), Vec::new()).await?;
        Ok((Some(plain_schema(&described.schema)), types_of(&described.parameters)))
    }
}

/// What the client is to send; text where a statement does not tell.
fn types_of(parameters: &[Option<DataType>]) -> Vec<Type> {
    let known = |kind: &DataType| match kind {
        DataType::Null => None,
        DataType::Dictionary(_, value) => into_pg_type(value).ok(),
        // Ids are compared with their texts.
        DataType::Binary | DataType::FixedSizeBinary(_) | DataType::BinaryView => None,
        kind => into_pg_type(kind).ok(),
    };
    let wanted = |kind: &Option<DataType>| kind.as_ref().and_then(known).unwrap_or(Type::TEXT);
    parameters.iter().map(wanted).collect()
}

#[async_trait]
impl QueryParser for Preparing {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        text: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let mut statements = statements::statements_of(text)?;
        let (Some(statement), 0) = (statements.pop(), statements.len()) else {
            return match statements.is_empty() {
                true => Ok(None),
                false => Err(errors::because("42601", "one statement at a time can be prepared")),
            };
        };
        let (schema, parameters) = self.describe(&statement).await?;
        Ok(Some(Prepared { statement, schema, parameters }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(prepared.parameters.clone())
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        match (&prepared.statement, &prepared.schema) {
            (SessionStatement::Show(name), _) => Ok(vec![rows::text_field(name)]),
            (_, Some(schema)) => rows::fields(schema, format.unwrap_or(&Format::UnifiedText)),
            (_, None) => Ok(Vec::new()),
        }
    }
}

/// The values that a portal was bound to.
fn values_of(portal: &Portal<Prepared>) -> PgWireResult<Vec<SqlValue>> {
    let prepared = &portal.statement.statement;
    let num_values = portal.parameters.len();
    if let Format::Individual(formats) = &portal.parameter_format
        && formats.len() != num_values
    {
        let message = format!("{} parameter formats for {num_values} parameters", formats.len());
        return Err(errors::because("08P01", message));
    }
    let value = |(place, bytes): (usize, &Option<bytes::Bytes>)| {
        let of_client = portal.statement.parameter_types.get(place).cloned().flatten();
        let kind = of_client.filter(|kind| *kind != Type::UNKNOWN);
        let kind = kind.or_else(|| prepared.parameters.get(place).cloned()).unwrap_or(Type::TEXT);
        parameters::value(&kind, bytes.as_deref(), portal.parameter_format.is_binary(place))
    };
    portal.parameters.iter().enumerate().map(value).collect()
}

#[async_trait]
impl ExtendedQueryHandler for Extended {
    type Statement = Prepared;
    type QueryParser = Preparing;

    fn query_parser(&self) -> Arc<Preparing> {
        Arc::clone(&self.parser)
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        use pgwire::messages::extendedquery::ParseComplete;
        let name = message.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        self.session.keep(Kept::Statement, &name, name.len() + message.query.len())?;
        match StoredStatement::parse(client, &message, Arc::clone(&self.parser)).await? {
            Some(statement) => client.portal_store().put_statement(Arc::new(statement)),
            None => client.portal_store().put_empty_statement(&name),
        }
        client.send(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?;
        Ok(())
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        use pgwire::messages::extendedquery::BindComplete;
        let name = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = message.portal_name.as_deref().unwrap_or(DEFAULT_NAME);
        let num_bytes = message.parameters.iter().flatten().map(|value| value.len()).sum::<usize>();
        self.session.keep(Kept::Portal, portal, portal.len() + num_bytes)?;
        match client.portal_store().get_statement(name) {
            Some(Entry::Value(statement)) => {
                let portal = Portal::try_new(&message, statement)?;
                client.portal_store().put_portal(Arc::new(portal));
            }
            Some(Entry::Empty) => client.portal_store().put_empty_portal(portal),
            None => return Err(PgWireError::StatementNotFound(name.to_owned())),
        }
        client.send(PgWireBackendMessage::BindComplete(BindComplete::new())).await?;
        Ok(())
    }

    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        // Cursors are portals that were opened in SQL.
        if message.target_type == TARGET_TYPE_BYTE_PORTAL
            && let Ok(cursor) = self.session.cursor(name)
        {
            let fields = rows::fields(cursor.schema(), &Format::UnifiedText)?;
            return send_describe_response(client, &DescribePortalResponse::new(fields)).await;
        }
        self._on_describe(client, message).await
    }

    async fn do_describe_statement<C>(
        &self,
        _client: &mut C,
        target: &StoredStatement<Prepared>,
    ) -> PgWireResult<DescribeStatementResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let prepared = &target.statement;
        let of_client = |place: usize| target.parameter_types.get(place).cloned().flatten();
        let types = prepared.parameters.iter().enumerate();
        let types = types.map(|(place, kind)| of_client(place).unwrap_or_else(|| kind.clone()));
        let fields = self.parser.get_result_schema(prepared, None)?;
        Ok(DescribeStatementResponse::new(types.collect(), fields))
    }

    /// Rows are sent as they are made, and never gathered.
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) => portal,
            Some(Entry::Empty) => {
                client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
                return Ok(());
            }
            None => return Err(PgWireError::PortalNotFound(name.to_owned())),
        };
        let max_rows = usize::try_from(message.max_rows).unwrap_or(0).min(MAX_ROWS);
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            statements::forget(&self.session, client.portal_store(), &portal.statement.statement.statement);
            match self.do_query(client, &portal, max_rows).await? {
                Response::Query(rows) => *state = PortalExecutionState::Suspended(rows),
                Response::Execution(tag) => {
                    *state = PortalExecutionState::Finished;
                    return send_execution_response(client, tag).await;
                }
                Response::TransactionStart(tag) => {
                    let transaction = client.transaction_status().to_in_transaction_state();
                    client.set_transaction_status(transaction);
                    return send_execution_response(client, tag).await;
                }
                Response::TransactionEnd(tag) => {
                    let transaction = client.transaction_status().to_idle_state();
                    client.set_transaction_status(transaction);
                    return send_execution_response(client, tag).await;
                }
                // No statement of a session answers otherwise.
                _ => return Ok(()),
            }
        }
        match state.deref_mut() {
            PortalExecutionState::Suspended(rows) => {
                let sent = send_partial_query_response(client, rows, max_rows).await;
                // What has failed or is whole holds nothing any more.
                if !matches!(sent, Ok(true)) {
                    *state = PortalExecutionState::Finished;
                }
                sent.map(drop)
            }
            _ => {
                let nothing = Tag::new("SELECT").with_rows(0);
                send_execution_response(client, nothing).await
            }
        }
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        use pgwire::messages::extendedquery::CloseComplete;
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                self.session.forget(Kept::Statement, name);
                client.portal_store().rm_statement(name);
            }
            TARGET_TYPE_BYTE_PORTAL => {
                self.session.forget(Kept::Portal, name);
                self.session.close_cursors(Some(name));
                client.portal_store().rm_portal(name);
            }
            _ => {}
        }
        client.send(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?;
        Ok(())
    }

    async fn do_query<C>(
        &self,
        _client: &mut C,
        portal: &Portal<Prepared>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let values = values_of(portal)?;
        let Prepared { statement, schema, .. } = &portal.statement.statement;
        let announced = schema.as_ref().map(Arc::clone);
        statements::run(&self.session, statement.clone(), values, announced, &portal.result_column_format)
            .await
    }
}
