/** What `VERIFY.txt` is about. */
export interface ExportedLog {
  readonly origin: string;
  /** How many entries the checkpoint covers. */
  readonly size: number;
  /** The first entry whose bytes are there. */
  readonly begin: number;
  /** The newest verifier key. */
  readonly vkey: string;
}

/**
 * The text that tells whoever gets an export how to check it with tools that are not ours. The commands of openssl and of a shell
 * and the program in Go are run by tests as they stand there; the two lines that download something (the module for Go, Tessera's fsck) are
 * not.
 */
export function verifyText(log: ExportedLog): string {
  const first = log.begin === 0 ? 'tile/entries/000' : 'the first file of tile/entries';
  return `How to verify this copy of the log ${log.origin}
${'='.repeat(36 + log.origin.length)}

It holds ${log.size} entries. ${beginText(log)}
The form is C2SP tlog-tiles (https://c2sp.org/tlog-tiles), so nothing of ours is needed to check it.

  checkpoint            the signed head: origin, number of entries, root hash, signatures
  checkpoints/SIZE      heads that were copied at other times
  tile/entries/...      the entries: each with its length in two bytes before it, 256 in a file
  tile/LEVEL/...        the hashes of the tree, 32 bytes each
  log.vkey, keys.json   the keys of the log, and for which sizes each one signed
  policy                the same for tools that read C2SP tlog-policy

THE KEY. This copy says that the key of the log is

  ${log.vkey}

A copy that was forged says that of the key of whoever forged it. Compare this line with the one that you were given by the owner of
the log on another way. Do the same with tools: a verifier inside a copy proves nothing, so none is in here. Take it from where you
got the key, or write it yourself: it is four pages of C2SP.

What a check proves: these entries, in this order, are all that the holder of the key signed as the first ${log.size} entries. What it
does not prove: that there is no newer head (ask for one on another way and compare the sizes), and that the holder of the key showed
everybody the same (compare the root with one that a witness or a destination was given; older ones are in checkpoints/).

1. Everything, with Waybill (no network, no account, read-only)

  waybill verify export . --key '${log.vkey}'

2. The signature, with OpenSSL 3

  printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000' > /tmp/key.der
  cut -d + -f 3- log.vkey | base64 -d | tail -c 32 >> /tmp/key.der
  head -n 3 checkpoint > /tmp/signed
  grep -a "^[^ ]* ${log.origin} " checkpoint | head -n 1 | sed 's/.* //' | base64 -d | tail -c 64 > /tmp/signature
  openssl pkeyutl -verify -pubin -keyform DER -inkey /tmp/key.der -rawin -in /tmp/signed -sigfile /tmp/signature

It answers "Signature Verified Successfully": the three lines of the head are what the key signed.

3. One entry by hand, with sha256sum (the first one of ${first})

  FILE=$(find tile/entries -type f | sort | head -n 1)
  LENGTH=$(od -An -tu1 -N2 "$FILE" | awk '{ print $1 * 256 + $2 }')
  (printf '\\000'; tail -c +3 "$FILE" | head -c "$LENGTH") | sha256sum | cut -c 1-64
  HASHES=$(echo "$FILE" | sed 's/entries/0/')
  od -An -v -tx1 -N32 "$HASHES" | tr -d ' \\n'

Both are the same 64 digits: the hash of the entry (a zero byte, then its bytes) is the one that the tree has for it.

4. Everything, with Go and golang.org/x/mod/sumdb, which checks the Go module database in the same form. As main.go:

${GO_PROGRAM.replaceAll(/^(?=.)/gm, '  ')}
  go mod init check && go get golang.org/x/mod@v0.17.0 && go run . /path/to/this/copy "$(cat log.vkey)"

It answers "verified": the signature is right, and the root over all entries is the signed one.${prunedText(log)}

5. Everything, with fsck of Tessera (https://github.com/transparency-dev/tessera, cmd/fsck)

  fsck --storage_url=file:///path/to/this/copy/ --public_key=log.vkey --ui=false

It rebuilds the tree from the entries and compares every file of hashes.${prunedText(log)}
`;
}

function beginText({ begin, size }: ExportedLog): string {
  if (begin === 0) return 'Every one of them is here.';
  return `The log had removed the entries below ${begin} by its rules of retention before this copy
was begun: their hashes are here, so that the tree is whole, and their bytes are not. Entries ${begin} to ${size - 1} are here.`;
}

function prunedText({ begin }: ExportedLog): string {
  return begin === 0
    ? ''
    : `\nIt needs the bytes of all entries, so it does not fit this copy, which begins with entry ${begin}; Waybill does.`;
}

/** It reads bundles only, so that nothing but the entries and the signed head is believed. */
const GO_PROGRAM = `package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	key := must(note.NewVerifier(strings.TrimSpace(os.Args[2])))
	signed := must(note.Open(must(os.ReadFile(os.Args[1]+"/checkpoint")), note.VerifierList(key)))
	var origin, root string
	var size int64
	must(fmt.Sscan(signed.Text, &origin, &size, &root))
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	for n := int64(0); n < size; {
		width := size - n
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: 8, L: 0, N: n / 256, W: int(width)}.Path()
		bundle := must(os.ReadFile(os.Args[1] + "/tile/entries/" + strings.TrimPrefix(path, "tile/8/0/")))
		for ; width > 0; width-- {
			length := int(bundle[0])<<8 | int(bundle[1])
			hashes = append(hashes, must(tlog.StoredHashes(n, bundle[2:2+length], reader))...)
			bundle = bundle[2+length:]
			n++
		}
		if len(bundle) > 0 {
			panic("extra bytes after entry")
		}
	}
	if made := must(tlog.TreeHash(size, reader)); origin != key.Name() || base64.StdEncoding.EncodeToString(made[:]) != root {
		fmt.Println("NOT the tree that was signed")
		os.Exit(1)
	}
	fmt.Println("verified", size, "entries of", origin)
}
`;
