//! Time and memory against attempts in flight, drawn as SVG.

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

use super::job::{Job, Variant};
use super::options::Options;
use super::place::Place;
use super::run::{self, Contestant, Ran};
use super::table::TIMEOUT;
use crate::figures::Spread;

const IN_FLIGHT: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// Of a quick look.
const QUICK: usize = 3;
/// Runs at each point, at most.
const RUNS: u32 = 3;
const SIZE: (u32, u32) = (900, 560);
/// One for each of [`Variant::ALL`], told apart also by those who see no red or no green (Okabe and Ito, 2008).
const COLORS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(0, 0, 0),
];

/// One plot.
struct Plot {
    file: &'static str,
    /// Where there is a lab, else on loopback.
    network: &'static str,
    /// Ports scanned with so many attempts in flight.
    ports: fn(usize) -> usize,
    what: &'static str,
    figure: fn(&Ran, u16) -> f64,
    /// Where no line runs.
    legend: SeriesLabelPosition,
}

const PLOTS: [Plot; 2] = [
    Plot {
        file: "time.svg",
        network: "20ms",
        ports: |in_flight| in_flight * 50,
        what: "wall time, µs a port",
        figure: |run, ports| run.wall.as_secs_f64() * 1e6 / f64::from(ports),
        legend: SeriesLabelPosition::UpperRight,
    },
    Plot {
        file: "memory.svg",
        network: "silent",
        ports: |in_flight| in_flight * 2,
        what: "peak memory, MiB",
        figure: |run, _| run.peak_kib as f64 / 1_024.0,
        legend: SeriesLabelPosition::UpperLeft,
    },
];

/// A variant and its points.
type Series = (Variant, Vec<(f64, f64)>);

/// Measures and draws all plots.
pub fn draw(variants: &[Variant], options: &Options) -> Result<(), String> {
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for plot in PLOTS {
        let mut place = Place::new(plot.network)?;
        if place.missing().is_some() {
            place = Place::new("loopback-closed")?;
        }
        let series = measure(&plot, &place, variants, options);
        let file = folder.join(plot.file);
        chart(&plot, &place, &series, &file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        eprintln!("{}", file.display());
    }
    Ok(())
}

/// target/variants.
fn folder() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("variants")
}

fn measure(plot: &Plot, place: &Place, variants: &[Variant], options: &Options) -> Vec<Series> {
    let mut series: Vec<Series> = variants
        .iter()
        .map(|variant| (*variant, Vec::new()))
        .collect();
    let points = if options.quick {
        QUICK
    } else {
        IN_FLIGHT.len()
    };
    for in_flight in &IN_FLIGHT[..points] {
        let ports = (plot.ports)(*in_flight).min(usize::from(u16::MAX)) as u16;
        let job = Job {
            target: place.target,
            top: ports,
            in_flight: *in_flight,
            timeout: TIMEOUT,
        };
        let mut figures = vec![Vec::new(); variants.len()];
        for seed in 1..=options.runs().min(RUNS) {
            for (variant, figures) in variants.iter().zip(&mut figures) {
                // One after the other is one in flight.
                if *variant == Variant::Sequential && *in_flight > 1 {
                    continue;
                }
                match run::once(&Contestant::Variant(*variant), place, &job, seed.into()) {
                    Ok(ran) => figures.push((plot.figure)(&ran, ports)),
                    Err(error) => eprintln!("{} with {in_flight}: {error}", variant.name()),
                }
            }
        }
        for ((_, points), figures) in series.iter_mut().zip(figures) {
            if let Some(median) = Spread::new(figures).median() {
                points.push((*in_flight as f64, median));
            }
        }
    }
    series
}

fn chart(plot: &Plot, place: &Place, series: &[Series], file: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            format!("{} – {}", plot.what, place.name),
            ("sans-serif", 20),
        )
        .margin(12)
        .margin_right(30)
        .x_label_area_size(45)
        .y_label_area_size(70)
        .build_cartesian_2d((1.0..10_000.0).log_scale(), bounds(series).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("attempts in flight at most")
        .y_desc(plot.what)
        .x_label_formatter(&f64::to_string)
        .y_label_formatter(&f64::to_string)
        .max_light_lines(4)
        .light_line_style(BLACK.mix(0.06))
        .bold_line_style(BLACK.mix(0.15))
        .draw()?;
    for (variant, points) in series {
        let color = COLORS[*variant as usize];
        chart
            .draw_series(
                LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(4),
            )?
            .label(variant.name())
            .legend(move |(x, y)| Rectangle::new([(x, y - 2), (x + 18, y + 2)], color.filled()));
    }
    chart
        .configure_series_labels()
        .position(plot.legend.clone())
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// From the least to the most, with some room.
fn bounds(series: &[Series]) -> Range<f64> {
    let all = || {
        series
            .iter()
            .flat_map(|(_, points)| points.iter().map(|point| point.1))
    };
    let least = all().fold(f64::INFINITY, f64::min);
    let most = all().fold(f64::NEG_INFINITY, f64::max);
    if least > most {
        return 0.1..1.0;
    }
    least / 1.5..most * 1.5
}
