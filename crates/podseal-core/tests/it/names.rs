use podseal_core::unit::name::{NameKind, UnitName, UnitType, unescape_path};

use crate::table::{check_rows, json_text, same};

#[test]
fn unit_name_valid() {
    check_rows(include_str!("../conformance/unit-name-valid.tsv"), |row| {
        let [name, kinds, valid] = row else {
            return Err("not three columns".to_owned());
        };
        let kind = json_text(name).parse::<UnitName>().ok().map(|n| n.kind());
        let wanted = kinds.split('|').any(|wanted| match wanted {
            "ANY" => kind.is_some(),
            "PLAIN" => kind == Some(NameKind::Plain),
            "INSTANCE" => kind == Some(NameKind::Instance),
            "TEMPLATE" => kind == Some(NameKind::Template),
            other => panic!("unknown kind {other}"),
        });
        same(&wanted, &(*valid == "true"))
    });
}

fn unit_type(suffix: &str) -> UnitType {
    let name: UnitName = format!("x{suffix}").parse().expect(suffix);
    name.unit_type()
}

#[test]
fn unit_name_transform() {
    check_rows(
        include_str!("../conformance/unit-name-transform.tsv"),
        |row| {
            let [transform, arguments] = row else {
                return Err("not two columns".to_owned());
            };
            let arguments: Vec<String> =
                serde_json::from_str(arguments).map_err(|e| e.to_string())?;
            let name = |text: &str| text.parse::<UnitName>();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let (found, expected) = match (*transform, arguments.as_slice()) {
                ("path+suffix->unit", [path, suffix, expected, _]) => (
                    UnitName::from_path(path, unit_type(suffix)).map(|n| n.to_string()),
                    expected,
                ),
                ("unescape-path", [text, expected, _]) => (unescape_path(text), expected),
                ("prefix", [text, _, expected]) => {
                    (name(text).map(|n| n.prefix().to_owned()), expected)
                }
                ("replace-instance", [text, instance, expected, _]) => (
                    name(text)
                        .and_then(|n| n.with_instance(instance))
                        .map(|n| n.to_string()),
                    expected,
                ),
                other => return Err(format!("unknown transform {other:?}")),
            };
            same(found.as_deref().unwrap_or("NULL"), expected)
        },
    );
}
