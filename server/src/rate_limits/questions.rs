//! How many questions one organization may ask at a time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::ApiError;

tokio::task_local! {
    /// Of the question that is being answered, once it is known who asks.
    static SLOT: RefCell<Option<QuestionSlot>>;
}

/// Answers a question. The slot that it takes with [`QuestionSlots::enter`] is free again when the answer is made, or
/// when nobody waits for it any more.
pub(crate) async fn answer_question<T>(work: impl Future<Output = T>) -> T {
    SLOT.scope(RefCell::new(None), work).await
}

/// The questions that are being answered, by organization.
#[derive(Debug)]
pub(crate) struct QuestionSlots {
    max: Option<u32>,
    running: Arc<Mutex<HashMap<String, u32>>>,
}

impl QuestionSlots {
    /// Slots for `max` questions of each organization, or for any number.
    pub(crate) fn new(max: Option<u32>) -> Self {
        Self { max, running: Arc::default() }
    }

    /// Takes a slot for the question around the caller; nothing outside of [`answer_question`].
    ///
    /// # Errors
    /// 429 when the organization asks as much as it may already.
    pub(crate) fn enter(&self, organization_id: &str) -> Result<(), ApiError> {
        let Some(max) = self.max else { return Ok(()) };
        let entered = SLOT.try_with(|slot| {
            // The earlier slot of the same question, if it has one, is given back first.
            slot.replace(None);
            slot.replace(Some(self.take(organization_id, max)?));
            Ok(())
        });
        entered.unwrap_or(Ok(()))
    }

    fn take(&self, organization_id: &str, max: u32) -> Result<QuestionSlot, ApiError> {
        let mut running = self.running.lock();
        let num_running = running.get(organization_id).copied().unwrap_or(0);
        if num_running >= max {
            return Err(ApiError::too_many(format!(
                "{max} questions of the organization are being answered, which is the most at a time"
            )));
        }
        running.insert(organization_id.to_owned(), num_running + 1);
        Ok(QuestionSlot { organization_id: organization_id.to_owned(), running: Arc::clone(&self.running) })
    }
}

#[derive(Debug)]
struct QuestionSlot {
    organization_id: String,
    running: Arc<Mutex<HashMap<String, u32>>>,
}

impl Drop for QuestionSlot {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        match running.get_mut(&self.organization_id) {
            Some(num_running) if *num_running > 1 => *num_running -= 1,
            _ => {
                running.remove(&self.organization_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_slot_is_held_until_the_answer_is_made_or_given_up() {
        let slots = QuestionSlots::new(Some(2));
        let asking = || {
            let slots = &slots;
            Box::pin(answer_question(async move {
                slots.enter("ours")?;
                std::future::pending::<()>().await;
                Ok::<(), ApiError>(())
            }))
        };
        let (mut first, mut second) = (asking(), asking());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        let refused = asking().now_or_never().unwrap().unwrap_err();
        assert_eq!(refused.status(), 429);
        let other = answer_question(async { slots.enter("theirs") }).await;
        assert!(other.is_ok(), "each organization has its own");
        drop(first);
        assert!(asking().now_or_never().is_none(), "what was given up is free");
        drop(second);
        for _answered in 0..5 {
            assert!(answer_question(async { slots.enter("ours") }).await.is_ok());
        }
        assert!(slots.running.lock().is_empty());
    }

    #[tokio::test]
    async fn a_question_has_one_slot_and_other_work_none() {
        let slots = QuestionSlots::new(Some(1));
        let twice = answer_question(async { slots.enter("ours").and_then(|()| slots.enter("ours")) }).await;
        assert!(twice.is_ok());
        assert!(slots.enter("ours").and_then(|()| slots.enter("ours")).is_ok());
        let unbounded = QuestionSlots::new(None);
        assert!(answer_question(async { unbounded.enter("ours") }).await.is_ok());
    }
}
