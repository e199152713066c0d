//! Orders, which logs JSON text, and the catalogue, which logs sentences.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const STEPS: [&str; 6] = ["created", "validated", "reserved", "paid", "packed", "shipped"];
const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];

/// One JSON object per log body; its `level` agrees with the record's severity.
pub(super) fn orders(line: &mut Line<'_>) {
    line.is_traced = line.random.chance(800);
    let order = 10_000_000 + line.random.below(9_000_000);
    let user = line.request.user_id();
    let step = line.random.pick(&STEPS);
    let cents = line.random.between(199, 250_000);
    let total = f64::from(cents) / 100.0;
    let currency = line.random.pick(&CURRENCIES);
    let duration_us = line.takes_us(9_000);
    let has_failed = line.fails();
    if has_failed {
        line.severity = SeverityNumber::Error;
        let cause = line.random.pick(&["payment_declined", "stock_conflict", "upstream_timeout"]);
        say!(
            line,
            r#"{{"level":"error","msg":"order could not be {step}","order":"{order}","user":"{user}","cause":"{cause}","retry":{}}}"#,
            line.random.chance(600)
        );
        line.text(keys::ERROR_TYPE, cause);
    } else {
        let items = line.random.between(1, 9);
        say!(
            line,
            r#"{{"level":"info","msg":"order {step}","order":"{order}","user":"{user}","items":{items},"total":{total:.2},"currency":"{currency}"}}"#
        );
        line.double(keys::AMOUNT, total);
    }
    line.text(keys::CURRENCY, currency);
    line.text(keys::USER_ID, user);
    line.duration(duration_us);
    line.request_id();
}

/// Product look-ups and price changes.
pub(super) fn catalog(line: &mut Line<'_>) {
    line.is_traced = line.random.chance(600);
    let product = line.request.item;
    let is_hit = line.random.chance(700);
    let duration_us = line.takes_us(if is_hit { 600 } else { 7_000 });
    let source = if is_hit { "cache" } else { "database" };
    if line.fails() {
        line.severity = SeverityNumber::Error;
        say!(
            line,
            "product {product} could not be loaded from {source}: context deadline exceeded after {duration_us}us, serving stale copy"
        );
        line.text(keys::ERROR_TYPE, "deadline_exceeded");
    } else if line.random.chance(250) {
        line.severity = SeverityNumber::Debug;
        say!(
            line,
            "price of product {product} recalculated: {}.{:02} EUR with rule set {} and {} promotions",
            line.random.between(1, 900),
            line.random.below(100),
            line.random.between(100, 180),
            line.random.below(6)
        );
    } else {
        let locale = line.random.pick(&["en-GB", "de-DE", "fr-FR", "es-ES", "ja-JP"]);
        say!(
            line,
            "product {product} loaded from {source} in {duration_us}us with {} variants and {} images, locale {locale}",
            line.random.between(1, 14),
            line.random.between(1, 12)
        );
    }
    line.text(keys::PATH, format!("/products/{product}"));
    line.flag(keys::CACHE_HIT, is_hit);
    line.duration(duration_us);
    line.request_id();
}
