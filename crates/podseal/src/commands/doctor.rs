//! `podseal doctor`

use podseal_core::doctor::document::Document;
use podseal_core::doctor::{self, Reach};
use podseal_core::policy::level::Level;
use podseal_runtime::doctor::look;

use crate::cli::{Doctor, DoctorFormat};
use crate::{exit, output};

mod human;

pub(super) fn run(arguments: &Doctor) -> u8 {
    let asked = Level::from(arguments.level);
    let facts = look();
    let findings = doctor::examine(&facts);
    let levels = doctor::levels(&findings);
    let reach = levels
        .iter()
        .find(|row| row.level == asked)
        .map_or(Reach::Unknown, |row| row.reach);
    let written = if arguments.fix {
        match human::commands(&findings, facts.user.is_rootless) {
            text if text.is_empty() => {
                output::note("there is no command for anything that was found");
                exit::SUCCESS
            }
            text => output::answer(text.trim_end()),
        }
    } else {
        match arguments.format {
            DoctorFormat::Json => {
                output::json_pretty(&Document::new(asked, &findings, &levels, &facts.user))
            }
            DoctorFormat::Human => {
                output::answer(human::report(asked, &findings, &levels, &facts.user).trim_end())
            }
        }
    };
    if written != exit::SUCCESS {
        return written;
    }
    match reach {
        Reach::Reachable => exit::SUCCESS,
        Reach::NotReachable => exit::FAILURE,
        Reach::Unknown => exit::NOT_LOOKED,
    }
}
