//! Port syntax and sets of ports.
/// A set of TCP ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<u16>);

/// Why a port specification cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a port specification")]
pub struct PortSpecError;

impl PortSet {
    /// Ports in the set, 0 to 65,536.
    pub fn len(&self) -> u32 {
        self.0.len() as u32
    }
    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The `index`th port, ascending.
    pub fn nth(&self, index: u32) -> Option<u16> {
        self.0.get(index as usize).copied()
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> PortSet {
        let mut ports: Vec<u16> = ports.into_iter().collect();
        ports.sort_unstable();
        ports.dedup();
        PortSet(ports)
    }
}
