//! `ai`: the model that explains logs.

use crate::config::setting::{Setting, address, seconds, unless_none};
use crate::secret::Secret;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "ai",
        key: "base_url",
        doc: "address of an OpenAI-compatible API that explains logs, like `https://host/v1`, or `none`; the logs to be \
              explained are sent there, without what looks like a secret",
        default: "none",
        apply: |config, text| address(text).map(|value| config.ai.base_url = value),
    },
    Setting {
        section: "ai",
        key: "model",
        doc: "name of the model there, or `none`",
        default: "none",
        apply: |config, text| {
            config.ai.model = unless_none(text);
            Ok(())
        },
    },
    Setting {
        section: "ai",
        key: "api_key",
        doc: "key that is sent there, or `none`; best given in the environment",
        default: "none",
        apply: |config, text| {
            config.ai.api_key = unless_none(text).map(Secret::new);
            Ok(())
        },
    },
    Setting {
        section: "ai",
        key: "timeout_secs",
        doc: "longest time the model may take, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.ai.timeout = value),
    },
];
