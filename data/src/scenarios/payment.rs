//! Card payments, with Java stack traces when they fail.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const PROVIDERS: [&str; 3] = ["northpay", "cardline", "banklink"];
const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];
const FAILURES: [(&str, &str); 4] = [
    ("java.net.SocketTimeoutException", "Read timed out"),
    ("com.shop.payment.ProviderUnavailableException", "provider answered 503"),
    ("com.shop.payment.SignatureException", "response signature does not match"),
    ("java.sql.SQLTransientConnectionException", "pool-1 - Connection is not available"),
];

/// Authorisations and captures.
pub(super) fn payment(line: &mut Line<'_>) {
    line.is_traced = true;
    let provider = line.random.pick(&PROVIDERS);
    let amount = f64::from(line.random.between(199, 250_000)) / 100.0;
    let currency = line.random.pick(&CURRENCIES);
    let duration_us = line.takes_us(180_000);
    let transaction = line.random.word();
    if line.fails() {
        failed(line, provider, transaction);
    } else if line.random.chance(35) {
        line.severity = SeverityNumber::Warn;
        let code = line.random.pick(&["insufficient_funds", "expired_card", "do_not_honor"]);
        say!(
            line,
            "payment {transaction:016x} of {amount:.2} {currency} declined by {provider}: {code}, customer notified"
        );
        line.text(keys::ERROR_TYPE, code);
    } else {
        let step = line.random.pick(&["authorised", "captured", "settled"]);
        say!(
            line,
            "payment {transaction:016x} of {amount:.2} {currency} {step} by {provider} in {duration_us}us, risk score {}",
            line.random.below(100)
        );
    }
    line.double(keys::AMOUNT, amount);
    line.text(keys::CURRENCY, currency);
    line.text(keys::USER_ID, line.request.user_id());
    line.duration(duration_us);
    line.request_id();
}

fn failed(line: &mut Line<'_>, provider: &str, transaction: u64) {
    let (exception, message) = FAILURES[line.random.index(FAILURES.len())];
    line.severity = if line.random.chance(40) { SeverityNumber::Fatal } else { SeverityNumber::Error };
    say!(
        line,
        "payment {transaction:016x} failed at {provider}\n{exception}: {message}\n\
         \tat com.shop.payment.ProviderClient.send(ProviderClient.java:{})\n\
         \tat com.shop.payment.PaymentService.authorise(PaymentService.java:{})\n\
         \tat com.shop.payment.PaymentController.post(PaymentController.java:74)\n\
         \tat java.base/java.lang.Thread.run(Thread.java:1583)",
        line.random.between(88, 140),
        line.random.between(201, 260)
    );
    line.text(keys::ERROR_TYPE, exception);
}
