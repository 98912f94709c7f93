//! Decides which annotations a status has room for. An object that is larger than what an API server stores cannot be written at
//! all, and annotations are the one part of a status that whoever pushes an image can make as large as he likes.

use crate::resource::status::ImageDiscoveryResult;

/// What all annotations of a status may take, as JSON: a third of the 1.5 MB that etcd takes unless somebody has told it
/// otherwise, since what tells who wrote which field needs room as well.
const ROOM: usize = 512 << 10;

/// Leaves out the annotations that there is no room for. The best references of all subscriptions come first, as they are what is
/// deployed; a reference has all of its annotations or none.
pub(super) fn make(images: &mut [ImageDiscoveryResult]) {
    let most = images.iter().map(|image| image.references.len()).max();
    let mut left = ROOM;
    for rank in 0..most.unwrap_or_default() {
        for reference in images.iter_mut().filter_map(|image| image.references.get_mut(rank)) {
            // Texts and nothing else, which JSON can hold.
            let size = serde_json::to_vec(&reference.annotations).map_or(usize::MAX, |json| json.len());
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => reference.annotations.clear(),
            }
        }
    }
}
