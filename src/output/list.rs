//! A list for other tools: `ip:port` of each open port, a line each, as found. IPv6 addresses are
//! in brackets, link-local ones with the index of their interface.

use std::fmt;
use std::io::{self, Write};

use super::Record;
use super::ndjson::{Address, Line, PortLine};
use crate::engine::State;

/// Writes the lines of `record`, in one write each. Errors are those of `out`.
pub fn write(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let mut line = |port: &PortLine<'_>| match port.state {
        State::Open => out.write_all(format!("{}\n", Place(port.ip, port.port)).as_bytes()),
        _ => Ok(()),
    };
    match record {
        Record::Line(Line::Port(_)) | Record::Bulk { .. } => record.ports(&mut line),
        Record::Line(_) | Record::Again(_) | Record::Audit(_) => Ok(()),
    }
}

/// An address and a port.
struct Place(Address, u16);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.addr.is_ipv6() {
            true => write!(f, "[{}]:{}", self.0, self.1),
            false => write!(f, "{}:{}", self.0, self.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_in_brackets() {
        let place = |ip: &str| Place(ip.parse().expect(ip), 22).to_string();
        assert_eq!(place("192.0.2.7"), "192.0.2.7:22");
        assert_eq!(place("2001:db8::7"), "[2001:db8::7]:22");
        assert_eq!(place("fe80::7%3"), "[fe80::7%3]:22");
    }
}
