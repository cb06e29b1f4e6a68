//! `podseal show`

use podseal_core::unit::Effect;
use podseal_core::unit::effective::Diagnostic;
use podseal_core::unit::effective::document::{Document, Shown};
use podseal_core::unit::effective::view::View;
use podseal_runtime::units::{Target, Unit, UnitError, Units};

use crate::cli::{Show, ShowFormat};
use crate::{exit, output};

pub(super) fn run(arguments: &Show) -> u8 {
    let units = Units::of(super::scope(arguments.system));
    let mut status = exit::SUCCESS;
    let mut shown = Vec::new();
    for argument in &arguments.units {
        match read(&units, argument) {
            Ok(Unit { aliases, view, .. }) => {
                warn(&view);
                shown.push(Shown::new(argument, aliases, view));
            }
            Err(error) => {
                output::error(&error, Some(&error.hint()));
                status = exit::FAILURE;
            }
        }
    }
    if shown.is_empty() {
        return status;
    }
    let document = Document::new(shown);
    match arguments.format {
        ShowFormat::Json => status.max(output::json_pretty(&document)),
    }
}

fn read(units: &Units, argument: &str) -> Result<Unit, UnitError> {
    units.read(&Target::parse(argument)?)
}

/// What keeps systemd from loading the unit is said in words too.
fn warn(view: &View) {
    let refused = view.diagnostics().iter();
    for Diagnostic {
        origin, message, ..
    } in refused.filter(|diagnostic| diagnostic.effect == Effect::Refused)
    {
        let place = match origin {
            Some(origin) => format!("{}:{}", origin.file, origin.line),
            None => view.unit().to_string(),
        };
        output::warning(format_args!(
            "{place}: {message}; systemd does not load {}",
            view.unit()
        ));
    }
}
