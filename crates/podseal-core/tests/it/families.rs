use podseal_core::unit::families::{AddressFamiliesReader, FamilyFilter, FilterMode};
use podseal_core::unit::file::UnitFile;

use crate::table::{check_rows, same};

fn shown(filter: &FamilyFilter) -> String {
    let mut names: Vec<String> = filter.set.iter().map(ToString::to_string).collect();
    names.sort();
    match filter.mode {
        FilterMode::Unrestricted => "unrestricted".to_owned(),
        FilterMode::Allow if names.is_empty() => "deny-all".to_owned(),
        FilterMode::Allow => format!("allow-only:{}", names.join(",")),
        FilterMode::Deny => format!("deny:{}", names.join(",")),
    }
}

#[test]
fn restrict_address_families() {
    check_rows(include_str!("../conformance/raf-parse.tsv"), |row| {
        let [_id, lines, le_v260, ge_v261, warns, differs] = row else {
            return Err("not six columns".to_owned());
        };
        let lines: Vec<String> = serde_json::from_str(lines).map_err(|e| e.to_string())?;
        let mut text = "[Service]\n".to_owned();
        for line in &lines {
            text.push_str("RestrictAddressFamilies=");
            text.push_str(line);
            text.push('\n');
        }
        let mut reader = AddressFamiliesReader::default();
        let mut problems = Vec::new();
        for setting in UnitFile::parse(text).values("Service", "RestrictAddressFamilies") {
            problems.extend(reader.line(setting.value));
        }
        let families = reader.finish();
        same(shown(&families.le_v260).as_str(), le_v260)?;
        same(shown(&families.ge_v261).as_str(), ge_v261)?;
        same(&families.divergent, &(*differs == "DIFF"))?;
        same(&!problems.is_empty(), &(*warns == "yes"))
    });
}
