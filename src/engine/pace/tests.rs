use super::*;

const MS: Duration = Duration::from_millis(1);

fn moment(at: Instant) -> Moment {
    Moment { at, order: 0 }
}

#[test]
fn the_window_doubles_where_nothing_answers() {
    let t = Instant::now();
    let mut pace = Pace::new(32, 1_000, None);
    for round in 0..20 {
        pace.on_time(t + round * 100 * MS, false);
        while pace.has_room() {
            pace.on_sent(t + round * 100 * MS, true);
        }
    }
    assert_eq!(pace.window(), 1_000);
    assert!(!pace.has_room());
}

#[test]
fn answers_open_the_window_eightfold_a_round_trip_then_twofold() {
    let mut pace = Pace::new(64, 20_000, None);
    let mut now = Instant::now();
    let rtt = Duration::from_millis(40);
    let mut windows = Vec::new();
    for _ in 0..6 {
        let mut sent = 0;
        pace.on_time(now, false);
        while pace.has_room() {
            pace.on_sent(now, true);
            sent += 1;
        }
        windows.push(sent);
        now += rtt;
        for _ in 0..sent {
            pace.on_left();
            pace.on_round_trip(rtt);
            pace.on_answer(now, true, false);
        }
    }
    assert_eq!(windows, [64, 512, 2048, 5462, 10_924, 20_000]);
}

#[test]
fn a_rate_is_kept_to_within_the_catch_up() {
    let t = Instant::now();
    let mut pace = Pace::new(1_000_000, 1_000_000, Some(500.0));
    let mut sent = 0;
    for ms in 0..2_000 {
        let now = t + ms * MS;
        while pace.wait_until(now).is_none() {
            pace.on_sent(now, true);
            sent += 1;
        }
    }
    assert!(
        (998..=1_001).contains(&sent),
        "{sent} in two seconds at 500 a second"
    );
}

#[test]
fn random_loss_is_no_limit_but_loss_of_most_canaries_is() {
    let t = Instant::now();
    let mut pace = Pace::new(32, 1_000, None);
    for n in 0..1_000u32 {
        pace.on_sent(t + n * MS, false);
        if n % 10 == 0 {
            assert_eq!(
                pace.on_trial(moment(t + n * MS), n % 100 != 0, 0.0, t + (n + 5) * MS),
                None
            );
        }
    }
    let found = (100..120u32).find_map(|n| {
        (0..10).for_each(|_| pace.on_sent(t + n * 10 * MS, false));
        pace.on_trial(moment(t + n * 10 * MS), n % 4 == 0, 0.0, t + n * 10 * MS)
    });
    let found = found.expect("three of four lost");
    assert!(found.loss > 0.25 && found.rate < 1_100.0, "{found:?}");
    assert!(pace.is_limited());
}

#[test]
fn loss_that_stays_at_a_third_of_the_rate_lifts_the_limit() {
    let t = Instant::now();
    let mut pace = Pace::new(32, 1_000, None);
    let (mut owed, mut was_limited) = (0.0, false);
    // Half of everything is lost at any rate; unlimited, 2,000 are sent a second.
    for ms in 0..20_000u32 {
        let now = t + ms * MS;
        owed += pace.rate().unwrap_or(2_000.0) / 1_000.0;
        while owed >= 1.0 {
            owed -= 1.0;
            pace.on_sent(now, false);
        }
        if ms % 20 == 0 {
            pace.on_trial(moment(now), ms % 40 == 0, 0.0, now);
        }
        pace.look(now, Some(MS));
        was_limited |= pace.is_limited();
    }
    assert!(was_limited);
    assert!(!pace.is_limited());
}
