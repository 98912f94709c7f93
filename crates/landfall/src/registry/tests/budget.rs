//! Budgets, on paused time.

use super::*;

fn budget(requests_per_second: u32, concurrency: usize) -> Arc<HostBudget> {
    Arc::new(HostBudget::new(Allowance {
        requests_per_second,
        concurrency,
    }))
}

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_after_a_small_burst() {
    let budget = budget(20, 100);
    let start = Instant::now();
    let mut at = Vec::new();
    for _ in 0..25 {
        let _permit = budget.acquire(Priority::Poll, in_seconds(60)).await.unwrap();
        at.push(start.elapsed().as_millis());
    }
    assert_eq!(at[..5], [0, 0, 0, 0, 0], "a burst of five");
    // Tokio's timer counts in milliseconds and never fires early.
    assert!((1000..=1030).contains(&at[24]), "twenty more take a second: {at:?}");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_at_once() {
    let budget = budget(1000, 2);
    let one = budget.acquire(Priority::Poll, in_seconds(1)).await.unwrap();
    let _two = budget.acquire(Priority::Poll, in_seconds(1)).await.unwrap();
    let third = budget.acquire(Priority::Poll, in_seconds(1)).await;
    assert_eq!(third.map(|_| ()), Err(OutOfBudget { retry_after: None }));
    drop(one);
    assert!(budget.acquire(Priority::Poll, in_seconds(1)).await.is_ok());
}

/// Queues a request that notes its name when its turn comes.
fn queue(
    budget: &Arc<HostBudget>,
    priority: Priority,
    name: &'static str,
    order: &Arc<Mutex<Vec<&'static str>>>,
) -> tokio::task::JoinHandle<()> {
    let (budget, order) = (Arc::clone(budget), Arc::clone(order));
    tokio::spawn(async move {
        let _permit = budget.acquire(priority, in_seconds(600)).await.unwrap();
        order.lock().unwrap().push(name);
    })
}

#[tokio::test(start_paused = true)]
async fn events_go_before_polls_but_not_for_ever() {
    let budget = budget(1000, 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let held = budget.acquire(Priority::Poll, in_seconds(1)).await.unwrap();
    let mut tasks = vec![queue(&budget, Priority::Poll, "poll", &order)];
    tokio::task::yield_now().await;
    for _ in 0..9 {
        tasks.push(queue(&budget, Priority::Event, "event", &order));
    }
    tokio::task::yield_now().await;
    drop(held);
    for task in tasks {
        task.await.unwrap();
    }
    let mut expected = vec!["event"; 7];
    expected.extend(["poll", "event", "event"]);
    assert_eq!(*order.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_overtakes_a_poll_that_waits_for_the_rate() {
    let budget = budget(1, 10);
    let order = Arc::new(Mutex::new(Vec::new()));
    drop(budget.acquire(Priority::Poll, in_seconds(1)).await.unwrap());
    let poll = queue(&budget, Priority::Poll, "poll", &order);
    tokio::task::yield_now().await;
    let event = queue(&budget, Priority::Event, "event", &order);
    poll.await.unwrap();
    event.await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["event", "poll"]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_everybody() {
    let budget = budget(20, 10);
    budget.pause_for(Duration::from_secs(7));
    budget.pause_for(Duration::from_secs(3));
    let start = Instant::now();
    let early = budget.acquire(Priority::Event, in_seconds(5)).await;
    let out = early.expect_err("seven seconds are more than five");
    assert_eq!(out.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(start.elapsed(), Duration::ZERO, "no use waiting for what cannot come");
    drop(budget.acquire(Priority::Event, in_seconds(10)).await.unwrap());
    assert_eq!(start.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_pause_has_an_end() {
    let budget = budget(20, 10);
    budget.pause_for(Duration::from_secs(u64::from(u32::MAX)));
    let start = Instant::now();
    drop(budget.acquire(Priority::Event, in_seconds(100_000)).await.unwrap());
    assert_eq!(start.elapsed().as_secs(), MAX_PAUSE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_holds_nobody_up() {
    let budget = budget(1000, 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let held = budget.acquire(Priority::Poll, in_seconds(1)).await.unwrap();
    let first = queue(&budget, Priority::Poll, "first", &order);
    tokio::task::yield_now().await;
    let second = queue(&budget, Priority::Poll, "second", &order);
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    drop(held);
    second.await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["second"]);
    assert!(budget.state().waiters.is_empty());
    assert_eq!(budget.state().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn idle_hosts_are_forgotten_and_busy_ones_are_not() {
    let budgets = Budgets::new(Allowance {
        requests_per_second: 20,
        concurrency: 1,
    });
    budgets.of("busy").pause_for(Duration::from_secs(60));
    for number in 0..MAX_HOSTS + 10 {
        budgets.of(&format!("host-{number}"));
    }
    let hosts = budgets.hosts.lock().unwrap();
    assert!(hosts.len() < MAX_HOSTS, "{}", hosts.len());
    assert!(hosts.contains_key("busy"));
}
