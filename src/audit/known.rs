//! What one side knows of a port.

use crate::engine::State;

/// What is known of a port's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// Its state: open, closed or filtered.
    Is(State),
    /// Closed or filtered.
    NotOpen,
    /// Two states at once.
    Two,
    /// It was planned and has no verdict.
    Unscanned,
    /// It is not open, or it is unscanned.
    NotOpenIfScanned,
    /// It was not to be scanned.
    NotPlanned,
    /// Nothing: it is not listed, and not all ports of its host are accounted for.
    Nothing,
}

/// Ports and what is known of each.
pub(super) type Ports = Vec<(u16, Known)>;

/// Puts `ports` in order, each once, contradictions marked. That a port was unscanned at one time takes
/// nothing from what is known of it from another.
pub(super) fn seal(ports: &mut Ports) {
    ports.sort_unstable();
    ports.dedup_by(|(port, known), (kept, first)| {
        if port != kept {
            return false;
        }
        *first = match (*first, *known) {
            (one, two) if one == two => one,
            (Known::Unscanned, other) | (other, Known::Unscanned) => other,
            _ => Known::Two,
        };
        true
    });
    ports.shrink_to_fit();
}

/// What sealed `ports` tell of `port`, if they list it.
pub(super) fn listed(ports: &Ports, port: u16) -> Option<Known> {
    let at = ports.binary_search_by_key(&port, |(port, _)| *port);
    at.ok().map(|at| ports[at].1)
}

impl Known {
    /// What a verdict in `state` tells.
    pub(super) fn of(state: State) -> Known {
        match state {
            State::Unscanned => Known::Unscanned,
            state => Known::Is(state),
        }
    }

    /// Whether it is open, if that is known.
    pub(super) fn is_open(self) -> Option<bool> {
        match self {
            Known::Is(state) => Some(state == State::Open),
            Known::NotOpen => Some(false),
            Known::Two
            | Known::Unscanned
            | Known::NotOpenIfScanned
            | Known::NotPlanned
            | Known::Nothing => None,
        }
    }

    /// The state, as far as it is one.
    pub(super) fn state(self) -> Option<State> {
        match self {
            Known::Is(state) => Some(state),
            Known::Unscanned => Some(State::Unscanned),
            Known::NotOpen
            | Known::Two
            | Known::NotOpenIfScanned
            | Known::NotPlanned
            | Known::Nothing => None,
        }
    }

    /// In words, as they stand behind `is` and `was`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Known::Is(state) => state.as_str(),
            Known::NotOpen => "not open",
            Known::Two => "contradictory",
            Known::Unscanned => "unscanned",
            Known::NotOpenIfScanned => "closed, filtered or unscanned",
            Known::NotPlanned => "not scanned",
            Known::Nothing => "unknown",
        }
    }
}
