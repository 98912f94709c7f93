use super::*;

const PATIENCE: Patience = Patience {
    waiting: Duration::from_secs(10),
    answering: Duration::from_secs(60),
};

const NOBODY: [usize; 0] = [];

async fn pause(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

/// Which of the guests have to leave now.
async fn leaving(guests: &[&Guest]) -> Vec<usize> {
    let mut leaving = Vec::new();
    for (number, guest) in guests.iter().enumerate() {
        let now = async { tokio::task::yield_now().await };
        tokio::select! {
            biased;
            () = guest.overstays(PATIENCE) => leaving.push(number),
            () = now => {}
        }
    }
    leaving
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_or_asks_too_much_has_to_leave() {
    let places = Places::new(8);
    let (silent, asking, done) = (places.take().await, places.take().await, places.take().await);
    let request = asking.begins();
    assert_eq!(leaving(&[&silent, &asking, &done]).await, NOBODY);
    pause(5).await;
    drop(done.begins());
    pause(6).await;
    assert_eq!(leaving(&[&silent, &asking, &done]).await, [0]);
    pause(5).await;
    assert_eq!(leaving(&[&silent, &asking, &done]).await, [0, 2]);
    pause(45).await;
    assert_eq!(leaving(&[&asking]).await, [0]);
    drop(request);
    assert_eq!(leaving(&[&asking]).await, NOBODY);
}

#[tokio::test(start_paused = true)]
async fn the_wait_after_a_request_is_as_long_as_the_one_before() {
    let places = Places::new(1);
    let guest = Arc::new(places.take().await);
    let began = Instant::now();
    let left = tokio::spawn({
        let guest = guest.clone();
        async move {
            guest.overstays(PATIENCE).await;
            Instant::now()
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let request = guest.begins();
    tokio::time::sleep(Duration::from_secs(25)).await;
    drop(request);
    assert_eq!(left.await.unwrap().duration_since(began), Duration::from_secs(38));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_on_does_not_hide_in_others() {
    let places = Places::new(1);
    let guest = places.take().await;
    let stuck = guest.begins();
    for _ in 0..6 {
        pause(10).await;
        drop(guest.begins());
    }
    assert_eq!(leaving(&[&guest]).await, [0]);
    drop(stuck);
}

#[tokio::test(start_paused = true)]
async fn where_all_places_are_taken_the_longest_wait_ends() {
    let places = Places::new(3);
    let asking = places.take().await;
    let request = asking.begins();
    pause(1).await;
    let first = places.take().await;
    pause(1).await;
    let second = places.take().await;
    let newcomer = tokio::spawn({
        let places = places.clone();
        async move { places.take().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(leaving(&[&asking, &first, &second]).await, [1]);
    assert!(!newcomer.is_finished());
    drop(first);
    let newcomer = newcomer.await.unwrap();
    assert_eq!(leaving(&[&asking, &second, &newcomer]).await, NOBODY);
    drop(request);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_busy_the_first_to_be_done_leaves() {
    let places = Places::new(2);
    let (one, two) = (places.take().await, places.take().await);
    let (first, second) = (one.begins(), two.begins());
    let newcomer = tokio::spawn({
        let places = places.clone();
        async move { places.take().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(leaving(&[&one, &two]).await, NOBODY);
    drop(second);
    tokio::task::yield_now().await;
    assert_eq!(leaving(&[&one, &two]).await, [1]);
    drop(two);
    newcomer.await.unwrap();
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn it_is_empty_when_everyone_has_left() {
    let places = Places::new(2);
    let guest = places.take().await;
    let mut empty = std::pin::pin!(places.empty());
    tokio::select! {
        biased;
        () = &mut empty => panic!("somebody is there"),
        () = tokio::task::yield_now() => {}
    }
    drop(guest);
    empty.await;
}

/// Whoever was asked to leave may have a request by then. It stays, and the one who is at the door gets another's place.
#[tokio::test(start_paused = true)]
async fn whoever_is_asked_and_cannot_leave_has_another_asked() {
    let places = Places::new(2);
    let older = places.take().await;
    pause(1).await;
    let newer = places.take().await;
    let newcomer = tokio::spawn({
        let places = places.clone();
        async move { places.take().await }
    });
    tokio::task::yield_now().await;
    let _request = older.begins();
    assert_eq!(leaving(&[&older, &newer]).await, [1]);
    drop(newer);
    newcomer.await.unwrap();
}
