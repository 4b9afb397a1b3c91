//! A value that many wait for. Unlike tokio's watch channel, which wakes its receivers in an order drawn by chance,
//! they are woken in the order in which they began to wait.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A value, and those who wait for it to change.
#[derive(Debug, Default)]
pub(super) struct Board<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State<T> {
    value: T,
    closed: bool,
}

impl<T> Board<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            state: Mutex::new(State {
                value,
                closed: false,
            }),
            changed: Notify::new(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value, and wakes all who wait.
    pub(super) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.locked().value);
        self.changed.notify_waiters();
    }

    /// Nothing will change any more: who waits in vain is told so.
    pub(super) fn close(&self) {
        self.locked().closed = true;
        self.changed.notify_waiters();
    }

    /// What this says of the value now.
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.locked().value)
    }

    /// Waits until this finds something in the value; none if it was closed before.
    pub(super) async fn find<R>(&self, mut find: impl FnMut(&T) -> Option<R>) -> Option<R> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let state = self.locked();
                if let Some(found) = find(&state.value) {
                    return Some(found);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Waits until this holds; false if the board was closed before.
    pub(super) async fn until(&self, mut holds: impl FnMut(&T) -> bool) -> bool {
        self.find(|value| holds(value).then_some(()))
            .await
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_woken_in_order_and_told_of_the_end() {
        let board = Arc::new(Board::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let (board, order) = (board.clone(), order.clone());
                tokio::spawn(async move {
                    assert!(board.until(|value| *value > 0).await);
                    order.lock().unwrap().push(number);
                    board.until(|value| *value > 1).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        board.change(|value| *value = 1);
        tokio::task::yield_now().await;
        board.close();
        for waiting in waiting {
            assert!(!waiting.await.unwrap());
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }
}
