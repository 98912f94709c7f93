//! Where memory comes from, and when it is given back. What it is for is others' business.

use std::hint::black_box;
use std::time::Duration;

use mimalloc::MiMalloc;
use tokio::time::sleep;

/// What one thread takes is given back by another one all the time here, since requests become rows of the one thread that writes;
/// glibc's allocator makes both pay for that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// For so long the allocator keeps what is free, in case it is wanted again; and a little longer.
const KEPT: Duration = Duration::from_millis(1100);
/// A piece so large is freed as a whole, in bytes.
const LARGE: usize = 1 << 20;

/// Has what a burst of work leaves free given back to the system. The allocator does that by itself when it frees something large, which
/// does not happen for long where nothing else happens.
pub fn give_back_soon() {
    tokio::spawn(async {
        sleep(KEPT).await;
        drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    });
}
