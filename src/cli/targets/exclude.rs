//! What is not to be scanned. Nothing is, unless all of it is understood.

use nishad::target::{HostSet, HostSpec, Target, targets_digest};

use super::bad::Bad;
use super::list::{self, Word};
use super::lookup::Lookup;
use super::names::Names;
use super::place::Place;
use super::{Args, scope_id};

/// Exclusions as they were read, while their names are resolved.
#[derive(Debug)]
pub(crate) struct Excludes {
    hosts: HostSet,
    names: Names,
}

impl Excludes {
    /// Reads `--exclude` and `--exclude-file`. What is wrong is an error: it could be among the
    /// targets.
    pub(crate) fn read(args: &Args) -> Result<Excludes, Bad> {
        let mut excludes = Excludes {
            hosts: HostSet::default(),
            names: Names::new(Lookup::of_all_addresses()),
        };
        let mut bad = Bad::default();
        for given in &args.exclude {
            for spec in specs(given) {
                if let Err(error) = excludes.add(spec, None) {
                    bad.push(|| format!("--exclude: {error}"));
                }
            }
        }
        for path in &args.exclude_file {
            let place = Place::of(path);
            let read = list::read("--exclude-file", path, &mut |Word { text, line }| {
                let place = place.at(line);
                let specs = text.map(specs);
                let errors: Vec<String> = match specs {
                    Err(error) => vec![error],
                    Ok(specs) => specs
                        .into_iter()
                        .filter_map(|spec| excludes.add(spec, Some(&place)).err())
                        .collect(),
                };
                for error in errors {
                    bad.push(|| format!("{place}{error}"));
                }
            });
            if let Err(error) = read {
                bad.push(|| error);
            }
        }
        match bad.count() {
            0 => Ok(excludes),
            _ => Err(bad),
        }
    }

    fn add(&mut self, spec: &str, place: Option<&Place>) -> Result<(), String> {
        let spec = HostSpec::of_any_size(spec).map_err(|error| error.to_string())?;
        if let HostSpec::Name(name) = &spec {
            let place = match place {
                Some(place) => place.clone(),
                None => Place::flag("--exclude"),
            };
            self.names.add(name, place);
            return Ok(());
        }
        // Without a scope, a link-local address is left out on every interface.
        let scope_id = spec.scope().map_or(Ok(0), scope_id)?;
        self.hosts.insert_spec(&spec, scope_id);
        Ok(())
    }

    /// All of it, once every name is resolved.
    pub(crate) fn resolved(mut self) -> Result<Excluded, Bad> {
        for target in self.names.wait_for_all() {
            self.hosts
                .insert_range(target.addr, target.addr, target.scope_id);
        }
        let bad = self.names.take_bad();
        if bad.count() > 0 {
            return Err(bad);
        }
        self.hosts.compact();
        Ok(Excluded(self.hosts))
    }
}

/// Hosts that are not to be scanned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Excluded(HostSet);

impl Excluded {
    /// Takes them out of `hosts`.
    pub(crate) fn remove_from(&self, hosts: &mut HostSet) {
        hosts.remove(self.0.clone());
    }

    /// What they are, in a few bytes.
    pub(crate) fn digest(&self) -> String {
        targets_digest(&self.0, [])
    }

    /// Whether `target` is one of them.
    pub(crate) fn has(&self, target: &Target) -> bool {
        let Target { addr, scope_id, .. } = *target;
        self.0.contains(addr, scope_id) || scope_id != 0 && self.0.contains(addr, 0)
    }
}

/// The specs in `given`, with commas between them. A piece that is no more than a number, a range of
/// numbers or a star belongs to the list before it: `10.0.0.1,5,20-29` is one spec.
fn specs(given: &str) -> Vec<&str> {
    let mut specs = Vec::new();
    let mut from = 0;
    let in_list = |piece: &str| {
        let is_part = |c: char| c.is_ascii_digit() || c == '-' || c == '*';
        piece.starts_with(|c: char| c != '-') && piece.chars().all(is_part)
    };
    let commas = given.match_indices(',').map(|(at, _)| at);
    for at in commas.chain([given.len()]) {
        let rest = given.get(at + 1..).unwrap_or_default();
        let next = rest.split(',').next().unwrap_or_default();
        // In `10.0.1,2.5` the list is not the last number.
        let spec = &given[from..at];
        let dots = spec.matches('.').count();
        let goes_on = dots == 3 && in_list(next)
            || (1..3).contains(&dots)
                && spec
                    .chars()
                    .all(|c| c.is_ascii_digit() || ".,-*".contains(c));
        if at < given.len() && goes_on {
            continue;
        }
        specs.push(spec);
        from = at + 1;
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_specs_and_belong_to_lists_of_numbers() {
        for (given, wanted) in [
            ("10.0.0.1", &["10.0.0.1"][..]),
            ("10.0.0.1,10.0.0.2", &["10.0.0.1", "10.0.0.2"]),
            (
                "10.0.0.1,5,20-29,192.0.2.0/24",
                &["10.0.0.1,5,20-29", "192.0.2.0/24"],
            ),
            ("10.0.1,2.5,10.0.0.1", &["10.0.1,2.5", "10.0.0.1"]),
            (
                "10.0.1,3-4.5,7,host.example",
                &["10.0.1,3-4.5,7", "host.example"],
            ),
            (
                "fe80::/10,fc00::/7,a-b.example,1.2.3.4",
                &["fe80::/10", "fc00::/7", "a-b.example", "1.2.3.4"],
            ),
            (
                "10.0.0.1-10.0.0.9,2001:db8::1",
                &["10.0.0.1-10.0.0.9", "2001:db8::1"],
            ),
            ("a,,b", &["a", "", "b"]),
            ("", &[""]),
        ] {
            assert_eq!(specs(given), wanted, "{given}");
        }
    }
}
