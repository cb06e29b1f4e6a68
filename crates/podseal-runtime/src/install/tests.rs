use std::os::unix::fs::symlink;

use super::*;

fn change(path: &Path, contents: Option<&str>) -> Change {
    Change {
        path: path.to_owned(),
        contents: contents.map(|text| Contents::Text(text.to_owned())),
    }
}

/// Every file below a directory with its contents.
fn tree(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.push((path.display().to_string(), "directory".to_owned()));
                directories.push(path);
            } else {
                let contents = fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), contents));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn files_are_written_replaced_and_removed() {
    let place = tempfile::tempdir().unwrap();
    let [a, b, beside] = ["x/y/a", "z/b", "x/y/c"].map(|name| place.path().join(name));
    fs::create_dir(place.path().join("z")).unwrap();
    fs::write(&b, "old").unwrap();
    fs::set_permissions(&b, Permissions::from_mode(0o640)).unwrap();
    let all = |contents| [&a, &b, &beside].map(|path| change(path, contents));
    install(&all(Some("new"))).unwrap().keep();
    for path in [&a, &b, &beside] {
        assert_eq!(fs::read_to_string(path).unwrap(), "new");
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&a), mode(&b)), (0o644, 0o640));
    install(&all(None)).unwrap().keep();
    let left = tree(place.path());
    assert_eq!(left.len(), 1, "only x, which others may be in: {left:?}");
}

#[test]
fn links_are_made_and_removed_with_files_of_the_same_directory() {
    let place = tempfile::tempdir().unwrap();
    let [link, file] = ["x/link", "x/file"].map(|name| place.path().join(name));
    let to = |target: &str| Change {
        path: link.clone(),
        contents: Some(Contents::Link(target.into())),
    };
    let made = install(&[change(&file, Some("1")), to("file")]).unwrap();
    assert_eq!(fs::read_to_string(&link).unwrap(), "1");
    made.undo().unwrap();
    assert!(!place.path().join("x").exists());

    install(&[change(&file, Some("1")), to("file")])
        .unwrap()
        .keep();
    install(&[to("elsewhere")]).unwrap().undo().unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("file"));
    // A text never takes the place of a link.
    install(&[change(&link, Some("2"))]).unwrap_err();
    install(&[change(&link, None), change(&file, None)])
        .unwrap()
        .keep();
    assert!(!place.path().join("x").exists());
}

#[test]
fn undoing_leaves_what_was() {
    let place = tempfile::tempdir().unwrap();
    let [new, replaced, removed] = ["x/y/a", "b", "c"].map(|name| place.path().join(name));
    fs::write(&replaced, "b").unwrap();
    fs::write(&removed, "c").unwrap();
    let before = tree(place.path());
    let changes = [change(&new, Some("1")), change(&removed, None)];
    install(&changes).unwrap().undo().unwrap();
    assert_eq!(tree(place.path()), before);
    install(&[change(&replaced, Some("2"))])
        .unwrap()
        .undo()
        .unwrap();
    assert_eq!(tree(place.path()), before);
}

#[test]
fn one_that_cannot_be_written_keeps_all_from_it() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir(path("d")).unwrap();
    fs::write(path("d/file"), "old").unwrap();
    fs::create_dir_all(path("e/directory")).unwrap();
    symlink("/nonexistent", path("link")).unwrap();
    let before = tree(&path("d"));
    for bad in ["e/directory", "link", "d/file/below", "/proc/none/x"] {
        let changes = [
            change(&path("d/file"), Some("new")),
            change(&path("new/file"), Some("new")),
            change(&path(bad), Some("new")),
        ];
        let error = install(&changes).unwrap_err();
        assert!(!error.hint().is_empty());
        assert_eq!(tree(&path("d")), before, "{bad}: {error}");
        assert!(!path("new").exists(), "{bad}");
    }
}

#[test]
fn two_at_once_do_not_mix() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a");
    let first = install(&[change(&path, Some("1"))]).unwrap();
    let error = install(&[change(&path, Some("2"))]).unwrap_err();
    assert!(error.hint().contains("another podseal"), "{error}");
    first.keep();
    install(&[change(&path, Some("2"))]).unwrap().keep();
    assert_eq!(fs::read_to_string(&path).unwrap(), "2");
}

#[test]
fn what_a_killed_process_left_is_written_over() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a");
    fs::write(place.path().join(".a.new"), "half").unwrap();
    fs::write(place.path().join(".a.old"), "half").unwrap();
    fs::write(&path, "1").unwrap();
    install(&[change(&path, Some("2"))]).unwrap().keep();
    assert_eq!(
        tree(place.path()),
        [(path.display().to_string(), "2".to_owned())]
    );
}
