//! Waiting for what the engine does by itself.

use std::time::Duration;

/// Far longer than anything takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(300);

/// Asks until there is an answer. A test whose answer never comes fails and names it, instead of hanging.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("{what}: still not so after {} s", PATIENCE.as_secs()))
}
