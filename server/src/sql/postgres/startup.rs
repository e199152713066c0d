//! Logging in: the password is an API key, the database the number of a project.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use engine::sql::POSTGRES_VERSION;
use futures::{Sink, SinkExt};
use pgwire::api::auth::{
    DefaultServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, METADATA_APPLICATION_NAME, METADATA_DATABASE, METADATA_USER, PgWireConnectionState,
    PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::startup::Authentication;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use super::cancel::secret_of;
use super::errors;
use super::session::Session;

/// What clients may call the database when they name no project; so may they call it as the user.
const UNNAMED: [&str; 3] = ["", "timberline", "postgres"];

/// Takes a client's name and password.
pub(super) struct Startup {
    session: Arc<Session>,
    must_be_secure: bool,
    secrets: RandomPidSecretKeyGenerator,
}

impl Startup {
    pub(super) fn new(session: Arc<Session>, must_be_secure: bool) -> Self {
        Self { session, must_be_secure, secrets: RandomPidSecretKeyGenerator::default() }
    }

    async fn log_in<C>(&self, client: &mut C, key: &str) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let [database, user, application] = {
            let parameters = client.metadata();
            [METADATA_DATABASE, METADATA_USER, METADATA_APPLICATION_NAME]
                .map(|name| parameters.get(name).cloned().unwrap_or_default())
        };
        let is_number = !database.is_empty() && database.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number && database != user && !UNNAMED.contains(&database.as_str()) {
            return Err(refused(
                "3D000",
                format!("database {database:?} does not exist: it is the number of a project"),
            ));
        }
        self.session.log_in(key, is_number.then_some(database.as_str())).await.map_err(errors::fatal)?;
        self.session.set("application_name", &application);
        let (pid, secret) = self.secrets.generate(client);
        self.session.has_secret(secret_of(pid, &secret));
        client.set_pid_and_secret_key(pid, secret);
        let mut parameters = DefaultServerParameterProvider::default();
        parameters.server_version = POSTGRES_VERSION.to_owned();
        parameters.is_superuser = false;
        parameters.default_transaction_read_only = true;
        parameters.time_zone = "UTC".to_owned();
        finish_authentication(client, &parameters).await
    }
}

fn refused(code: &str, message: String) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message)))
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(startup) => {
                // Before the password is asked for: it would be readable on its way.
                if self.must_be_secure && !client.is_secure() {
                    return Err(refused("28000", "this server takes connections with TLS only".to_owned()));
                }
                protocol_negotiation(client, &startup).await?;
                save_startup_parameters_to_metadata(client, &startup);
                client.set_state(PgWireConnectionState::AuthenticationInProgress);
                let wanted = PgWireBackendMessage::Authentication(Authentication::CleartextPassword);
                client.send(wanted).await?;
                Ok(())
            }
            PgWireFrontendMessage::PasswordMessageFamily(password) => {
                let password = password.into_password()?;
                self.log_in(client, &password.password).await
            }
            _ => Err(refused("08P01", "log in first".to_owned())),
        }
    }
}
