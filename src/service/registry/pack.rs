//! Packs the table of registered services for the program, to half its size. The build does it.
//!
//! The lines lose their ports, for most are one more than that of the line before; and bytes that no name
//! has stand for pairs of others, the most frequent pairs.

use std::fmt::Write;

#[path = "pairs.rs"]
mod pairs;

/// Where every so many lines begin is kept.
const STRIDE: usize = 32;

/// The table `text` as Rust's source, see `src/service/registry/mod.rs`.
pub fn pack(text: &str) -> String {
    let (mut runs, mut lines) = (Vec::new(), Vec::new());
    let mut next = Some(0);
    for line in text.lines() {
        let (ports, names) = line.split_once('\t').expect("ports, a tab, names");
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |port: &str| port.parse::<u16>().expect("a port");
        for port in number(first)..=number(last) {
            assert!(next.is_some_and(|next| next <= port), "order at {line:?}");
            if next != Some(port) || runs.is_empty() {
                runs.push((port, lines.len()));
            }
            next = port.checked_add(1);
            lines.push(names);
        }
    }
    let count = lines.len();
    let mut bytes = (lines.join("\n") + "\n").into_bytes();
    let pairs = pair(&mut bytes);
    let ends = (1..).zip(&bytes).filter(|(_, byte)| **byte == b'\n');
    let later = ends.map(|(end, _)| end).skip(STRIDE - 1).step_by(STRIDE);
    let starts: Vec<usize> = std::iter::once(0).chain(later).collect();
    let mut source = String::new();
    let written = write!(
        source,
        "const COUNT: usize = {count};\n\
         const STRIDE: usize = {STRIDE};\n\
         static RUNS: [(u16, u16); {}] = {runs:?};\n\
         static STARTS: [u16; {}] = {starts:?};\n\
         static PAIRS: [[u8; 2]; 256] = {pairs:?};\n\
         static LINES: &[u8; {}] = b\"{}\";\n",
        runs.len(),
        starts.len(),
        bytes.len(),
        bytes.escape_ascii(),
    );
    written.expect("a string takes all");
    source
}

/// Puts bytes that do not occur in the place of pairs; what each stands for, zeros if for itself. What
/// separates names is left as it is.
fn pair(bytes: &mut Vec<u8>) -> Vec<[u8; 2]> {
    let mut pairs = vec![[0; 2]; 256];
    let free: Vec<u8> = (1..=u8::MAX).filter(|byte| !bytes.contains(byte)).collect();
    for code in free {
        let mut counts = vec![0_u32; 1 << 16];
        for two in bytes.windows(2) {
            if !two.contains(&b'\n') && !two.contains(&b'\t') {
                counts[usize::from(u16::from_be_bytes([two[0], two[1]]))] += 1;
            }
        }
        let most = (0..=u16::MAX).max_by_key(|two| counts[usize::from(*two)]);
        let most = most.unwrap_or_default().to_be_bytes();
        pairs[usize::from(code)] = most;
        pairs::replace(bytes, most, code);
    }
    pairs
}
