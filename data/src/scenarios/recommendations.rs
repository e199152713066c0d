//! Recommendations: a body that is a structure, not text.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, key_value, text_array};

const MODELS: [&str; 3] = ["als-2026-01", "two-tower-14", "popular"];

/// One structured record per answered request.
pub(super) fn recommendations(line: &mut Line<'_>) {
    line.is_traced = line.random.chance(900);
    let has_failed = line.fails();
    let model = if has_failed { MODELS[2] } else { MODELS[line.random.index(2)] };
    let duration_us = line.takes_us(16_000);
    let confidence = f64::from(line.random.below(1_000)) / 1_000.0;
    let candidates = i64::from(line.random.between(20, 900));
    let message = if has_failed { "feature store missed, fell back" } else { "recommended" };
    let items: [String; 3] = std::array::from_fn(|_| format!("p{}", line.random.below(50_000)));
    let items = text_array(&items.each_ref().map(String::as_str));
    line.severity = if has_failed { SeverityNumber::Error } else { SeverityNumber::Info };
    line.say_structured(vec![
        key_value("message", Value::StringValue(message.to_owned())),
        key_value("model", Value::StringValue(model.to_owned())),
        key_value("items", Value::ArrayValue(items)),
        key_value("candidates", Value::IntValue(candidates)),
        key_value("confidence", Value::DoubleValue(confidence)),
        key_value("fallback", Value::BoolValue(has_failed)),
    ]);
    if has_failed {
        line.text(keys::ERROR_TYPE, "feature_store_miss");
    }
    line.text(keys::USER_ID, line.request.user_id());
    line.flag(keys::CACHE_HIT, !has_failed && confidence > 0.5);
    line.duration(duration_us);
    line.request_id();
}
