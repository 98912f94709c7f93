//! Gathers what comes in a burst, so that what follows from it is done once.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

/// A burst is over when this long nothing more comes.
const QUIET: Duration = Duration::from_millis(10);
/// One that never ends is taken up this long after it began.
const PATIENCE: Duration = Duration::from_millis(50);
/// Whoever waits for an answer waits this long.
const ANSWER: Duration = Duration::from_secs(2);

/// Hands everything to `take` until a burst is over, and longer while `take` says that answers are to come. The first is here
/// already.
pub(super) async fn gather<T>(first: T, more: &mut Receiver<T>, mut take: impl FnMut(T) -> Awaiting) {
    let began = Instant::now();
    let mut awaiting = take(first);
    loop {
        let until = match awaiting {
            Awaiting::Nothing => (Instant::now() + QUIET).min(began + PATIENCE),
            Awaiting::Answers => began + ANSWER,
            Awaiting::Enough => return,
        };
        match timeout_at(until, more.recv()).await {
            Ok(Some(next)) => awaiting = take(next),
            Ok(None) | Err(_) => return,
        }
        if Instant::now() > began + ANSWER || awaiting == Awaiting::Nothing && Instant::now() > began + PATIENCE {
            return;
        }
    }
}

/// Whether something is to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaiting {
    Nothing,
    Answers,
    /// Not even the end of the burst: somebody waits for what is here.
    Enough,
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one() {
        let (sender, mut receiver) = mpsc::channel(8);
        for number in 2..=4 {
            sender.send(number).await.unwrap();
        }
        let mut taken = Vec::new();
        gather(1, &mut receiver, |number| {
            taken.push(number);
            Awaiting::Nothing
        })
        .await;
        assert_eq!(taken, [1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_waited_for() {
        let (sender, mut receiver) = mpsc::channel(8);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sender.send(2).await.unwrap();
            std::future::pending::<()>().await;
        });
        let mut taken = Vec::new();
        gather(1, &mut receiver, |number| {
            taken.push(number);
            if number == 1 {
                Awaiting::Answers
            } else {
                Awaiting::Nothing
            }
        })
        .await;
        assert_eq!(taken, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_enough_does_not_wait_for_more() {
        let (sender, mut receiver) = mpsc::channel(8);
        sender.send(2).await.unwrap();
        let mut taken = Vec::new();
        gather(1, &mut receiver, |number| {
            taken.push(number);
            Awaiting::Enough
        })
        .await;
        assert_eq!(taken, [1]);
    }
}
