//! Stock keeping, with Python tracebacks when it fails.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const WAREHOUSES: [&str; 5] = ["berlin-1", "lyon-2", "leeds-1", "gdansk-3", "porto-1"];
const FAILURES: [(&str, &str); 3] = [
    ("psycopg.errors.SerializationFailure", "could not serialize access due to concurrent update"),
    ("StockMismatchError", "counted stock differs from booked stock"),
    ("TimeoutError", "warehouse did not answer within 5.0 seconds"),
];

/// Reservations, releases and counts.
pub(super) fn inventory(line: &mut Line<'_>) {
    line.is_traced = line.random.chance(700);
    let product = line.request.item;
    let warehouse = line.random.pick(&WAREHOUSES);
    let duration_us = line.takes_us(6_000);
    let num_units = line.random.between(1, 24);
    if line.fails() {
        let (exception, message) = FAILURES[line.random.index(FAILURES.len())];
        line.severity = SeverityNumber::Error;
        say!(
            line,
            "Traceback (most recent call last):\n  File \"/app/inventory/api.py\", line {}, in reserve\n    \
             stock.reserve(product={product}, units={num_units})\n  File \"/app/inventory/stock.py\", line {}, in reserve\n    \
             raise {exception}(warehouse)\n{exception}: {message} ({warehouse})",
            line.random.between(40, 90),
            line.random.between(100, 300)
        );
        line.text(keys::ERROR_TYPE, exception);
    } else {
        let left = line.random.below(4_000);
        let verb = line.random.pick(&["reserved", "released", "received"]);
        line.severity = if left < 20 { SeverityNumber::Warn } else { SeverityNumber::Info };
        say!(
            line,
            "{verb} {num_units} units of product {product} in warehouse {warehouse}, {left} left, took {duration_us}us"
        );
    }
    line.text(keys::DB_COLLECTION, "stock");
    line.text(keys::USER_ID, line.request.user_id());
    line.list(keys::TAGS, &["warehouse", warehouse]);
    line.duration(duration_us);
    line.request_id();
}
