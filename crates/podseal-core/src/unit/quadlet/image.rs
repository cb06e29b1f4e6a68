//! `Image=` and `Rootfs=`: what the container is made of.

use super::QuadletError;
use super::resource::has_type;
use super::services::{Builder, error};
use super::values::Value;
use crate::unit::effective::Origin;

/// The words of the command that name the image.
pub(super) struct Image {
    pub(super) words: Vec<String>,
    pub(super) origin: Origin,
}

impl Builder<'_> {
    /// The image, or `--rootfs` and the directory.
    pub(super) fn image(&mut self) -> Result<Image, QuadletError> {
        let section = self.section();
        let (image, rootfs) = (section.text("Image"), section.text("Rootfs"));
        match (image, rootfs) {
            (None, None) => Err(error(&self.origin, "no Image or Rootfs key specified")),
            (Some(_), Some(rootfs)) => Err(error(
                &rootfs.origin,
                "the Image And Rootfs keys conflict can not be specified together",
            )),
            (None, Some(rootfs)) => Ok(Image {
                words: vec!["--rootfs".to_owned(), rootfs.text],
                origin: rootfs.origin,
            }),
            (Some(Value { text, origin }), None) => {
                let is_reference = has_type(&text, "build") || has_type(&text, "image");
                let name = if is_reference {
                    let what = format!("requested Quadlet image {text} was not found");
                    self.require(&text, &origin, &what)?
                } else {
                    text
                };
                Ok(Image {
                    words: vec![name],
                    origin,
                })
            }
        }
    }
}

/// The generator warns of an image whose registry is left open.
pub(super) fn image_warning(builder: &Builder<'_>) -> Vec<QuadletError> {
    let Some(Value { text, origin }) = builder.section().text("Image") else {
        return Vec::new();
    };
    let is_id = text.starts_with("sha256:")
        || (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
    let has_registry = text
        .split_once('/')
        .is_some_and(|(registry, _)| registry == "localhost" || registry.contains(['.', ':']));
    if is_id || has_registry || has_type(&text, "build") || has_type(&text, "image") {
        return Vec::new();
    }
    vec![error(
        &origin,
        format!("image \"{text}\" is not a fully qualified image name"),
    )]
}
