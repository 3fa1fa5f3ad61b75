use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// `h7` is 192.0.2.7, after `slow` a while; others are not known.
fn system(name: &str) -> io::Result<Vec<SocketAddr>> {
    let name = match name.strip_prefix("slow-") {
        Some(name) => {
            thread::sleep(Duration::from_millis(200));
            name
        }
        None => name,
    };
    let number: Option<u8> = name.strip_prefix(['h', 'H']).and_then(|n| n.parse().ok());
    match number {
        Some(n) => Ok(vec![
            ([192, 0, 2, n], 0).into(),
            ([198, 51, 100, n], 0).into(),
        ]),
        None => Err(io::Error::other("no such name")),
    }
}

fn names(lookup: Lookup, given: &[&str]) -> Names {
    let names = Names::new(lookup);
    for name in given {
        names.add(name, Place::default());
    }
    names.close();
    names
}

fn lookup() -> Lookup {
    Lookup {
        system,
        ..Lookup::default()
    }
}

fn shown(targets: &[Target]) -> Vec<String> {
    let mut shown: Vec<String> = targets.iter().map(Target::to_string).collect();
    shown.sort();
    shown
}

#[test]
fn names_are_resolved_once_and_failures_kept() {
    let names = Names::new(lookup());
    for (line, name) in ["h1", "nobody", "h2", "H1", "h1"].into_iter().enumerate() {
        names.add(name, Place::of(Path::new("some/list")).at(line as u64 + 1));
    }
    assert_eq!(shown(&names.wait_for_all()), ["192.0.2.1", "192.0.2.2"]);
    let bad: Vec<String> = names.take_bad().lines().collect();
    assert_eq!(
        bad,
        ["some/list:2: nobody: cannot be resolved: no such name"]
    );
    assert_eq!(names.take_bad().count(), 0);
}

#[test]
fn all_addresses_where_they_are_wanted_and_no_excluded_ones() {
    let lookup = Lookup {
        all_addresses: true,
        ..lookup()
    };
    assert_eq!(shown(&names(lookup, &["h1"]).wait_for_all()).len(), 2);
}

/// Between the plan and the scan nobody listens: a host found then was lost, and the run complete.
#[test]
fn what_is_found_before_anybody_takes_it_is_still_to_come() {
    let names = Names::new(lookup());
    names.hold();
    names.add("h1", Place::default());
    names.close();
    names.start(|_| true);
    while names.shared.lock().pending() > 0 {
        thread::yield_now();
    }
    assert_eq!(names.pending(), 1);
    assert_eq!(
        names.wait_for_next().map(|host| host.addr),
        Some([192, 0, 2, 1].into())
    );
    assert_eq!(names.pending(), 0);
}

/// At most so many at a time, and with so many slow ones the others are found at once.
#[test]
fn slow_names_wait_side_by_side() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let lookup = Lookup {
        system: |name| {
            MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let found = system(name);
            NOW.fetch_sub(1, Ordering::SeqCst);
            found
        },
        ..lookup()
    };
    let given: Vec<String> = (0..40).map(|n| format!("slow-h{n}")).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let names = names(lookup, &given);
    assert_eq!(names.wait_for_all().len(), 40);
    let most = MOST.load(Ordering::SeqCst);
    assert!((2..=THREADS).contains(&most), "{most} at once");
}

#[test]
fn the_first_host_is_enough_to_begin_with() {
    // Whichever of the two is done first, the one without an address is no host.
    let unknown = names(lookup(), &["nobody", "h2"]);
    assert_eq!(
        shown(&unknown.wait_until(Instant::now(), true)),
        ["192.0.2.2"]
    );
    let names = names(lookup(), &["slow-h1", "h2"]);
    let found = names.wait_until(Instant::now(), true);
    assert_eq!(shown(&found), ["192.0.2.2"]);
    assert_eq!(names.pending(), 1);
    assert_eq!(
        names.left().lines().collect::<Vec<_>>(),
        ["slow-h1: not yet resolved when the run ended"]
    );
    assert_eq!(shown(&names.wait_for_all()), ["192.0.2.1"]);
    assert_eq!(names.pending(), 0);
}

#[test]
fn names_that_are_held_are_not_looked_up_before_it_is_said_which() {
    let names = Names::new(lookup());
    names.hold();
    for name in ["h1", "h2", "nobody"] {
        names.add(name, Place::default());
    }
    names.close();
    // As it is asked for what is wrong, before the shard is known.
    assert_eq!(names.take_bad().count(), 0);
    assert!(names.shared.lock().under_way.is_empty());
    assert_eq!(names.shared.lock().threads, 0);
    names.start(|name| name == "h2");
    assert_eq!(shown(&names.wait_for_all()), ["192.0.2.2"]);
    assert_eq!(names.take_bad().count(), 0);
}

#[test]
fn nothing_to_wait_for_is_not_waited_for() {
    let names = names(lookup(), &["nobody"]);
    assert_eq!(names.wait_until(Instant::now() + PATIENCE, true), []);
    assert_eq!(names.take_bad().count(), 1);
}

#[test]
fn what_never_ends_is_given_up_and_the_rest_goes_on() {
    let lookup = Lookup {
        system: |name| match name {
            "stuck" => loop {
                thread::park();
            },
            name => system(name),
        },
        ..lookup()
    };
    let mut names = Names::new(lookup);
    names.threads = 1;
    names.add("stuck", Place::default());
    names.add("h1", Place::default());
    names.close();
    while names.shared.lock().under_way.is_empty() {
        thread::yield_now();
    }
    let mut state = names.shared.lock();
    names.look(&mut state, Instant::now() + PATIENCE);
    drop(state);
    assert_eq!(shown(&names.wait_for_all()), ["192.0.2.1"]);
    let bad: Vec<String> = names.take_bad().lines().collect();
    assert_eq!(
        bad,
        ["stuck: cannot be resolved: no answer within 60 seconds"]
    );
}
