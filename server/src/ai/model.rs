//! A model behind an OpenAI-compatible chat endpoint.

use std::fmt;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::config::AiConfig;

/// Most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Why a model gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModelError {
    #[error("the model could not be asked")]
    Request(#[from] reqwest::Error),
    #[error("the model answered with status {0}")]
    Status(u16),
    #[error("the model answered more than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    #[error("the model's answer is not understood: {0}")]
    Malformed(String),
}

/// A configured model.
pub(super) struct Model {
    client: Client,
    url: String,
    name: String,
    api_key: Option<crate::secret::Secret>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("url", &self.url).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Model {
    /// None when none is configured.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(config: &AiConfig) -> reqwest::Result<Option<Self>> {
        let (Some(base_url), Some(name)) = (&config.base_url, &config.model) else { return Ok(None) };
        let client = Client::builder()
            .timeout(config.timeout)
            .connect_timeout(config.timeout.min(Duration::from_secs(10)))
            // Whoever is redirected to would get the logs and the key.
            .redirect(Policy::none())
            .build()?;
        let url = format!("{}/chat/completions", base_url.trim_end_matches('/'));
        Ok(Some(Self { client, url, name: name.clone(), api_key: config.api_key.clone() }))
    }

    /// The text that the model answers in the form of a JSON schema.
    pub(super) async fn ask(&self, system: &str, user: &str, schema: &Value) -> Result<String, ModelError> {
        let format = json!({ "name": "log_explanation", "strict": true, "schema": schema });
        let mut request = self.client.post(&self.url).json(&json!({
            "model": self.name,
            "messages": [{ "role": "system", "content": system }, { "role": "user", "content": user }],
            "response_format": { "type": "json_schema", "json_schema": format },
        }));
        if let Some(api_key) = &self.api_key {
            request = request.bearer_auth(api_key.reveal());
        }
        let response = request.send().await?;
        if !response.status().is_success() {
            return Err(ModelError::Status(response.status().as_u16()));
        }
        let answer: Value = serde_json::from_slice(&read(response).await?)
            .map_err(|error| ModelError::Malformed(error.to_string()))?;
        match answer["choices"][0]["message"]["content"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(ModelError::Malformed("it has no text".to_owned())),
        }
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, ModelError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ModelError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
