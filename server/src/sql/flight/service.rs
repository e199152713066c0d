//! The calls.
//!
//! Every call shows a key, and is about the project that it names. Writing, transactions and plans in other forms than SQL
//! are left as the library answers them: there is nothing of the kind.

use std::pin::Pin;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo,
    CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo, CommandPreparedStatementQuery,
    CommandStatementQuery, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket,
};
use engine::sql::{SqlDescription, SqlQuery};
use futures::{Stream, stream};
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::credentials::Credentials;
use super::handle::Handle;
use super::rows::{RowStream, message_of, of_answer, of_batch, sent_schema};
use super::{catalog, information, parameters, status_of};
use crate::sql::Asker;
use crate::state::AppState;

type Handshake = Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>;

/// The calls of Flight SQL.
#[derive(Debug)]
pub(super) struct FlightSql {
    state: AppState,
}

impl FlightSql {
    pub(super) fn new(state: AppState) -> Self {
        Self { state }
    }

    async fn asker<T>(&self, request: &Request<T>) -> Result<Asker, Status> {
        // What the request holds may not be shared between threads; its headers may.
        let credentials = Credentials::of(request.metadata())?;
        credentials.asker(&self.state).await
    }

    async fn ask(&self, asker: &Asker, query: SqlQuery) -> Result<Response<RowStream>, Status> {
        asker.ask(&self.state, query).await.map(of_answer).map_err(status_of)
    }

    async fn describe(&self, asker: &Asker, query: SqlQuery) -> Result<SqlDescription, Status> {
        asker.describe(&self.state, query).await.map_err(status_of)
    }
}

/// Where an answer is to be had: here, for who shows a ticket and a key.
///
/// The answer's columns come with it: what is known of them before may differ in small things, which drivers do not
/// forgive.
fn to_be_had(ticket: Vec<u8>, descriptor: FlightDescriptor) -> Response<FlightInfo> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    Response::new(FlightInfo::new().with_endpoint(endpoint).with_descriptor(descriptor))
}

/// The same for what has the same columns always.
fn metadata_to_be_had(
    command: &impl ProstMessageExt,
    schema: &SchemaRef,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(command.as_any().encode_to_vec()));
    let info = FlightInfo::new().with_endpoint(endpoint).with_descriptor(descriptor);
    let info = info.try_with_schema(schema);
    info.map(Response::new).map_err(|error| status_of(crate::error::ApiError::internal(error)))
}

#[tonic::async_trait]
impl FlightSqlService for FlightSql {
    type FlightService = Self;

    /// Logs in: the answer has a token for the calls that follow.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Handshake>, Status> {
        let credentials = Credentials::of(request.metadata())?;
        credentials.asker(&self.state).await?;
        let token = credentials.token();
        let answer = HandshakeResponse { protocol_version: 0, payload: token.clone().into() };
        let mut response: Response<Handshake> = Response::new(Box::pin(stream::iter([Ok(answer)])));
        let header = MetadataValue::try_from(format!("Bearer {token}"));
        let header = header.map_err(|_| Status::unauthenticated("the API key is not valid"))?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        command: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let asker = self.asker(&request).await?;
        let handle = Handle::of(command.query);
        // What is wrong with it is told at once.
        self.describe(&asker, handle.clone().into_query()).await?;
        let ticket = TicketStatementQuery { statement_handle: handle.encode_to_vec().into() };
        Ok(to_be_had(ticket.as_any().encode_to_vec(), request.into_inner()))
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        let asker = self.asker(&request).await?;
        self.ask(&asker, Handle::read(&ticket.statement_handle)?.into_query()).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let asker = self.asker(&request).await?;
        let handle = Handle::of(query.query);
        let described = self.describe(&asker, handle.clone().into_query()).await?;
        let parameters = described.parameters.iter().enumerate().map(|(place, kind)| {
            let kind = kind.clone().unwrap_or(arrow::datatypes::DataType::Utf8);
            Field::new(format!("${}", place + 1), kind, true)
        });
        let parameters = Schema::new(parameters.collect::<Vec<_>>());
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.encode_to_vec().into(),
            dataset_schema: message_of(&sent_schema(&described.schema))?,
            parameter_schema: message_of(&parameters)?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let credentials = Credentials::of(request.metadata())?;
        credentials.asker(&self.state).await?;
        let handle = Handle::read(&command.prepared_statement_handle)?;
        let values = parameters::one_row(request.into_inner()).await?;
        let handle = handle.with(values).encode_to_vec();
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.into()) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        Handle::read(&command.prepared_statement_handle)?;
        Ok(to_be_had(command.as_any().encode_to_vec(), request.into_inner()))
    }

    async fn do_get_prepared_statement(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        let asker = self.asker(&request).await?;
        self.ask(&asker, Handle::read(&command.prepared_statement_handle)?.into_query()).await
    }

    /// There is nothing to close.
    async fn do_action_close_prepared_statement(
        &self,
        _query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        self.asker(&request).await.map(drop)
    }

    async fn get_flight_info_catalogs(
        &self,
        command: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        metadata_to_be_had(&command, &command.into_builder().schema(), request.into_inner())
    }

    async fn do_get_catalogs(
        &self,
        command: CommandGetCatalogs,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        self.asker(&request).await?;
        catalog::catalogs(command).map(of_batch)
    }

    async fn get_flight_info_schemas(
        &self,
        command: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        metadata_to_be_had(&command.clone(), &command.into_builder().schema(), request.into_inner())
    }

    async fn do_get_schemas(
        &self,
        command: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        self.asker(&request).await?;
        catalog::schemas(command).map(of_batch)
    }

    async fn get_flight_info_tables(
        &self,
        command: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        metadata_to_be_had(&command.clone(), &command.into_builder().schema(), request.into_inner())
    }

    async fn do_get_tables(
        &self,
        command: CommandGetTables,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        let asker = self.asker(&request).await?;
        catalog::tables(&self.state, &asker, command).await.map(of_batch)
    }

    async fn get_flight_info_table_types(
        &self,
        command: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        metadata_to_be_had(&command, &command.into_builder().schema(), request.into_inner())
    }

    async fn do_get_table_types(
        &self,
        command: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        self.asker(&request).await?;
        catalog::table_types(command).map(of_batch)
    }

    async fn get_flight_info_sql_info(
        &self,
        command: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        metadata_to_be_had(&command, &information::FACTS.schema(), request.into_inner())
    }

    async fn do_get_sql_info(
        &self,
        command: CommandGetSqlInfo,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        self.asker(&request).await?;
        information::facts(command).map(of_batch)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        command: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.asker(&request).await?;
        metadata_to_be_had(&command, &information::TYPES.schema(), request.into_inner())
    }

    async fn do_get_xdbc_type_info(
        &self,
        command: CommandGetXdbcTypeInfo,
        request: Request<Ticket>,
    ) -> Result<Response<RowStream>, Status> {
        self.asker(&request).await?;
        information::types(command).map(of_batch)
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}
