//! What was typed about services.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use nishad::net::Services;
use nishad::output::escape;
use nishad::service::Rules;
use nishad::target::{RunKey, digest};

/// Bytes of the largest file of rules that is read: a hundred times what is compiled in.
const LARGEST: u64 = 4 << 20;

/// Finding out what answers on open ports.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServiceArgs {
    /// Find out what answers on each open port
    ///
    /// Listens for a greeting, then asks: on the connection that found the port open, and on two
    /// more at most. Tells protocol, product and version, and what HTTP and TLS say of themselves.
    #[arg(short = 'V', long, help_heading = SERVICES)]
    pub(crate) services: bool,

    /// Rules of your own, tried before those compiled in
    ///
    /// TOML; the README describes it. May be given several times.
    #[arg(long, value_name = "FILE", requires = "services", help_heading = SERVICES)]
    pub(crate) service_rules: Vec<PathBuf>,

    /// Send to ports 9100 to 9107 too, where printers print what they are sent
    #[arg(long, requires = "services", help_heading = SERVICES)]
    pub(crate) ask_printers: bool,
}

const SERVICES: &str = "Services";

/// What it means.
#[derive(Clone, Debug)]
pub(crate) struct ServicePlan {
    pub(crate) services: Services,
    /// Digest of the user's rules, if there are any.
    rules: Option<String>,
}

impl ServiceArgs {
    /// Reads the rules, if services are asked for. An error names the file and what is wrong in it.
    pub(crate) fn plan(&self) -> Result<Option<ServicePlan>> {
        if !self.services {
            return Ok(None);
        }
        if cfg!(not(feature = "services")) {
            bail!("--services: this program was built small, without the feature `services`");
        }
        let files = self.service_rules.iter().map(|path| read(path));
        let files = files.collect::<Result<Vec<_>>>()?;
        let named: Vec<_> = files
            .iter()
            .map(|(name, text)| (&**name, &**text))
            .collect();
        let rules = Rules::new(&named).map_err(|error| anyhow!("--service-rules: {error}"))?;
        let mut services = Services::new(Arc::new(rules));
        services.ask_printers = self.ask_printers;
        let texts = files.iter().map(|(_, text)| text.as_str());
        Ok(Some(ServicePlan {
            services,
            rules: (!files.is_empty()).then(|| digest("nishad rules", texts)),
        }))
    }
}

impl ServicePlan {
    /// What of it decides the outcome of a run.
    pub(crate) fn key(&self, key: RunKey) -> RunKey {
        let key = key.with("services", true);
        let key = key.with("ask-printers", self.services.ask_printers);
        match &self.rules {
            Some(rules) => key.with("service-rules", rules),
            None => key,
        }
    }
}

/// The name of the file at `path`, safe to show, and its text.
fn read(path: &Path) -> Result<(String, String)> {
    let name = escape(&path.to_string_lossy()).to_string();
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    read.with_context(|| format!("--service-rules: cannot read {name}"))?;
    if text.len() as u64 > LARGEST {
        bail!(
            "--service-rules: {name} is larger than {} MiB",
            LARGEST >> 20
        );
    }
    Ok((name, text))
}
