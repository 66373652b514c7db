// Command verify checks a log in the form of C2SP tlog-tiles with nothing but the Go team's own packages for transparency logs:
// golang.org/x/mod/sumdb/tlog and golang.org/x/mod/sumdb/note. It knows nothing of the program that wrote the log.
//
//	verify [-head FILE] [-token TOKEN] VKEY DIRECTORY-OR-URL
//
// Every entry is read and hashed, the tree of them has to have the root of the signed head, every stored hash has to be theirs, and a
// head that was kept elsewhere has to be the beginning of the tree. The exit code is 0 only when everything was checked.
package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

func main() {
	head := flag.String("head", "", "a checkpoint that was kept elsewhere")
	token := flag.String("token", "", "bearer token for the entries of a log that is served")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: verify [-head FILE] [-token TOKEN] VKEY DIRECTORY-OR-URL")
		os.Exit(2)
	}
	size, err := verify(flag.Arg(0), &source{flag.Arg(1), *token}, *head)
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
	fmt.Printf("ok: %d entries\n", size)
}

func verify(vkey string, log *source, keptHead string) (int64, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, err
	}
	text, err := log.read("checkpoint")
	if err != nil {
		return 0, err
	}
	tree, err := openHead(text, verifier)
	if err != nil {
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	hashes, err := hashEntries(log, tree)
	if err != nil {
		return 0, err
	}
	if err := checkTiles(log, tree, hashes); err != nil {
		return 0, err
	}
	if keptHead != "" {
		if err := checkKept(keptHead, verifier, tree, hashes); err != nil {
			return 0, err
		}
	}
	return tree.N, nil
}

// openHead opens a signed head and reads its three lines.
func openHead(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.SplitN(opened.Text, "\n", 4)
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("it is no head of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return tlog.Tree{}, errors.New("its size is not a number")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("its root is not a hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// hashEntries reads every entry and makes the whole tree from them: nothing that is stored is believed. (tlog.TileHashReader would
// believe some tiles: version 0.7.0 does not compare all of them with their parents.)
func hashEntries(log *source, tree tlog.Tree) (storedHashes, error) {
	var hashes storedHashes
	for first := int64(0); first < tree.N; first += width {
		count := min(tree.N-first, width)
		bundle, err := log.read(pathOf(tlog.Tile{H: height, L: -1, N: first / width, W: int(count)}))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", first, err)
		}
		for k := int64(0); k < count; k++ {
			if len(bundle) < 2 || len(bundle)-2 < int(bundle[0])<<8|int(bundle[1]) {
				return nil, fmt.Errorf("entry %d: its bundle ends", first+k)
			}
			end := 2 + (int(bundle[0])<<8 | int(bundle[1]))
			added, err := tlog.StoredHashes(first+k, bundle[2:end], hashes)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, added...)
			bundle = bundle[end:]
		}
		if len(bundle) > 0 {
			return nil, fmt.Errorf("entry %d: %d bytes behind it", first+count-1, len(bundle))
		}
	}
	return hashes, nil
}

// storedHashes are all hashes of a tree in the order of tlog.StoredHashIndex.
type storedHashes []tlog.Hash

// ReadHashes is tlog.HashReader.
func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for k, index := range indexes {
		if index >= int64(len(s)) {
			return nil, fmt.Errorf("hash %d is not there", index)
		}
		found[k] = s[index]
	}
	return found, nil
}

// checkTiles compares the root of the entries with the signed one, and every stored tile with the entries.
func checkTiles(log *source, tree tlog.Tree, hashes storedHashes) error {
	if tree.N == 0 {
		return nil
	}
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	for _, tile := range tilesOf(tree.N) {
		computed, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			return err
		}
		stored, err := log.read(pathOf(tile))
		if err != nil {
			return err
		}
		if len(stored) != len(computed) {
			return fmt.Errorf("%s has %d bytes, not %d", pathOf(tile), len(stored), len(computed))
		}
		for at := 0; at < len(stored); at += tlog.HashSize {
			if string(stored[at:at+tlog.HashSize]) == string(computed[at:at+tlog.HashSize]) {
				continue
			}
			first := (tile.N*width + int64(at/tlog.HashSize)) << (height * tile.L)
			if root == tree.Hash {
				return fmt.Errorf("%s: the hash of entry %d is not the one of the entry, which is what was signed", pathOf(tile), first)
			}
			return fmt.Errorf("entry %d: it is not what was signed, or its stored hash was changed too", first)
		}
	}
	if root != tree.Hash {
		return errors.New("entries and stored hashes agree, and are not what was signed")
	}
	return nil
}

// tilesOf lists the tiles of a tree: the full ones of every level, and the last one of it as far as it goes.
func tilesOf(size int64) []tlog.Tile {
	var tiles []tlog.Tile
	for level := 0; size>>(height*level) > 0; level++ {
		for left, n := size>>(height*level), int64(0); left > 0; left, n = left-width, n+1 {
			tiles = append(tiles, tlog.Tile{H: height, L: level, N: n, W: int(min(left, width))})
		}
	}
	return tiles
}

// checkKept proves that a head that was kept elsewhere is the beginning of the tree.
func checkKept(file string, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	kept, err := openHead(text, verifier)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if kept.N > tree.N {
		return fmt.Errorf("entry %d: it is not there, and the head in %s covers it", tree.N, file)
	}
	if kept.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, kept.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, kept.N, kept.Hash); err != nil {
		return fmt.Errorf("the head in %s is not the beginning of this tree: %w", file, err)
	}
	return nil
}

// source is a directory, or a server.
type source struct {
	base  string
	token string
}

func (s *source) read(path string) ([]byte, error) {
	if !strings.HasPrefix(s.base, "http://") && !strings.HasPrefix(s.base, "https://") {
		return os.ReadFile(filepath.Join(s.base, path))
	}
	request, err := http.NewRequest("GET", strings.TrimSuffix(s.base, "/")+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// pathOf is the path of a tile in C2SP tlog-tiles: without the height, and "entries" for the data.
func pathOf(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
