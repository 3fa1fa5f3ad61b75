//! What is made from the grammar of the command line: completions of shells, and the manual page.

use std::io;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Exit;
use super::command::command;

/// Print a script that completes the options in a shell
///
/// For bash: nishad completions bash > ~/.local/share/bash-completion/completions/nishad
#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "nishad", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page.
pub(crate) fn man() -> Exit {
    match page(command()) {
        Ok(page) => super::print(&String::from_utf8_lossy(&page)),
        // Writing to memory does not fail.
        Err(_) => Exit::Failed,
    }
}

/// The manual page of `command` and all its subcommands.
fn page(command: Command) -> io::Result<Vec<u8>> {
    // Whatever help leaves out for want of room, the page has.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let mut built = command.clone();
    built.build();
    let subcommands: Vec<Command> = built.get_subcommands().cloned().collect();
    let usage: Vec<String> = std::iter::once(&mut built)
        .chain(&mut subcommands.clone())
        .map(|command| command.render_usage().to_string())
        .flat_map(|usage| usage.lines().map(str::to_string).collect::<Vec<_>>())
        .map(|usage| usage.trim_start_matches("Usage:").trim().to_string())
        .filter(|usage| !usage.contains("<COMMAND>") && !usage.contains("[COMMAND]"))
        .collect();
    let more = command.get_after_long_help().map(ToString::to_string);
    let command = command.override_usage(usage.join("\n"));
    let version = concat!("nishad ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).source(version).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in subcommands {
        page.extend(part(subcommand)?);
    }
    let mut roff = Roff::new();
    environment(&mut roff);
    sections(&mut roff, &more.unwrap_or_default());
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// The section of a subcommand.
fn part(subcommand: Command) -> io::Result<Vec<u8>> {
    let name = format!("nishad {}", subcommand.get_name());
    let man = Man::new(subcommand);
    let mut parts = (Vec::new(), Vec::new());
    man.render_description_section(&mut parts.0)?;
    man.render_options_section(&mut parts.1)?;
    let (description, options) = (
        String::from_utf8_lossy(&parts.0),
        String::from_utf8_lossy(&parts.1),
    );
    let heading = format!(".SH \"{}\"\n", name.to_uppercase());
    // Its own sections are subsections of this one.
    let description = description.replacen(".SH DESCRIPTION\n", &heading, 1);
    let options = options.replace("\n.SH ", "\n.SS ");
    let options = match options.strip_prefix(".SH ") {
        Some(rest) => format!(".SS {rest}"),
        None => options,
    };
    Ok(format!("{description}{options}").into_bytes())
}

fn environment(roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, text) in [
        (
            "NISHAD_OPTION",
            "Any option by its long name in capitals, with _ for -: NISHAD_TIMEOUT=2s, \
             NISHAD_EXACT=true. See --config.",
        ),
        (
            "NO_COLOR",
            "If set to anything, text has no colour by default.",
        ),
    ] {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(text)]);
    }
}

/// What stands behind the long help, each paragraph under a heading.
fn sections(roff: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        let (heading, lines) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let heading = heading.trim_end_matches(':').to_uppercase();
        roff.control("SH", [heading.as_str()]);
        roff.control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readers of manual pages differ in what they take other letters for.
    #[test]
    fn the_manual_page_is_ascii() {
        let page = String::from_utf8(page(command()).expect("written")).expect("UTF-8");
        let other: Vec<_> = page.lines().filter(|line| !line.is_ascii()).collect();
        assert!(other.is_empty(), "{other:?}");
    }

    #[test]
    fn every_option_is_in_the_manual_page() {
        let page = String::from_utf8(page(command()).expect("written")).expect("UTF-8");
        let page = page.replace("\\-", "-");
        let mut command = command();
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            for arg in command.get_arguments() {
                if let Some(long) = arg.get_long() {
                    assert!(page.contains(&format!("\\fB--{long}\\fR")), "--{long}");
                }
                if let Some(short) = arg.get_short() {
                    assert!(page.contains(&format!("\\fB-{short}\\fR")), "-{short}");
                }
                if arg.get_id() == "help" {
                    // Its text depends on who asks.
                    continue;
                }
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let first = help.split(['.', '\'', '[']).next().unwrap_or_default();
                assert!(page.contains(first.trim()), "{}: {help}", arg.get_id());
            }
        }
        for heading in [
            "EXAMPLES",
            "\"EXIT CODES\"",
            "\"NISHAD REPORT\"",
            "ENVIRONMENT",
        ] {
            assert!(page.contains(&format!("\n.SH {heading}\n")), "{heading}");
        }
    }
}
