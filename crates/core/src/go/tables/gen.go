//go:build ignore

// Writes crates/core/src/go/tables.rs: what Go's package unicode says about printing and lower-casing.
// Run it from the root of the repository, with a Go whose unicode.Version is the one in the answer:
//
//	go run crates/core/src/go/tables/gen.go > crates/core/src/go/tables.rs
package main

import (
	"fmt"
	"hash/fnv"
	"log"
	"strings"
	"unicode"
)

// The version behind the programs that landfall must agree with. Newer data would change normal forms.
const wantedVersion = "15.0.0"

// How wide a line of the answer may be.
const width = 118

// A run of characters that are `stride` apart and whose lower case is `delta` away.
type run struct {
	first, last rune
	stride      rune
	delta       rune
}

func printable() (ranges []string, count int) {
	first := rune(-1)
	for r := rune(0); r <= unicode.MaxRune+1; r++ {
		inside := r <= unicode.MaxRune && unicode.IsPrint(r)
		if inside {
			count++
		}
		if inside && first < 0 {
			first = r
		}
		if !inside && first >= 0 {
			ranges = append(ranges, fmt.Sprintf("(%#x, %#x)", first, r-1))
			first = -1
		}
	}
	return ranges, count
}

func lower() (rows []string, count int) {
	var runs []run
	for r := rune(0); r <= unicode.MaxRune; r++ {
		delta := unicode.ToLower(r) - r
		if delta == 0 {
			continue
		}
		count++
		if n := len(runs) - 1; n >= 0 && runs[n].delta == delta && extends(&runs[n], r) {
			continue
		}
		runs = append(runs, run{r, r, 1, delta})
	}
	for _, it := range runs {
		rows = append(rows, fmt.Sprintf("(%#x, %#x, %d, %d)", it.first, it.last, it.stride, it.delta))
	}
	return rows, count
}

// Whether r continues the run; a run of one character learns its stride from the second.
func extends(it *run, r rune) bool {
	gap := r - it.last
	if gap > 2 || (it.first != it.last && gap != it.stride) {
		return false
	}
	it.stride, it.last = gap, r
	return true
}

// One number over all answers, by which a test sees that the tables say the same as the package.
func fingerprint() uint64 {
	hash := fnv.New64a()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if 0xd800 <= r && r <= 0xdfff {
			continue
		}
		print := byte(0)
		if unicode.IsPrint(r) {
			print = 1
		}
		l := unicode.ToLower(r)
		hash.Write([]byte{print, byte(l), byte(l >> 8), byte(l >> 16)})
	}
	return hash.Sum64()
}

func table(doc, declaration string, rows []string) {
	fmt.Printf("\n/// %s\n#[rustfmt::skip]\npub(super) static %s = &[\n", doc, declaration)
	line := "   "
	for _, row := range rows {
		if len(line)+len(row)+2 > width {
			fmt.Println(line)
			line = "   "
		}
		line += " " + row + ","
	}
	fmt.Println(line)
	fmt.Println("];")
}

func main() {
	if unicode.Version != wantedVersion {
		log.Fatalf("this Go has Unicode %s, but the tables are for %s", unicode.Version, wantedVersion)
	}
	ranges, printed := printable()
	rows, lowered := lower()
	fmt.Println("//! Regenerate with `go run crates/core/src/go/tables/gen.go > crates/core/src/go/tables.rs`; do not edit.")
	fmt.Println(strings.TrimSpace(fmt.Sprintf(`
//!
//! Unicode %s as Go's package unicode has it: %d printable characters in %d ranges, %d lower-cased in %d
//! runs. It must not know what anyone does with them.`, unicode.Version, printed, len(ranges), lowered, len(rows))))
	table("First and last character of each range that `unicode.IsPrint` accepts, in order.", "PRINTABLE: &[(u32, u32)]", ranges)
	table("First, last, distance between members, and what to add for `unicode.ToLower`; in order, never overlapping.",
		"LOWER: &[(u32, u32, u32, i32)]", rows)
	fmt.Println("\n/// FNV-1a over what the package answers for every character, which the tables must give again.")
	fmt.Printf("#[cfg(test)]\npub(super) const FINGERPRINT: u64 = %#x;\n", fingerprint())
}
