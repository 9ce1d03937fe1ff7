package chassis

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Bounds of a watched folder, so that a mistaken path (a home folder, say)
// costs an error and not the machine.
const (
	maxWatched     = 2000
	maxWatchedSize = 16 << 20
)

// Watch calls changed after the files under dir have changed and then kept
// still: half a second of quiet and two equal hashes, so that half an edit is
// never seen. It watches folders, not files, ignores which kind of event came,
// and looks every Poll in any case: a ConfigMap is swapped by a symbolic link,
// which shows on no file. Anything sent on Now (SIGHUP) calls changed at once,
// also when nothing changed.
type Watch struct {
	Dir string
	// Since is the folder's Fingerprint from before its files were first read:
	// an edit between that reading and the beginning of the watch must not go
	// unseen. When it differs from what is found, changed is called.
	Since   [sha256.Size]byte
	Quiet   time.Duration // default 500ms
	Poll    time.Duration // default 30s
	Now     <-chan os.Signal
	Changed func(reason string)
	Log     *slog.Logger
}

// Run watches until ctx ends. It falls back to polling when the system refuses
// to watch.
func (w Watch) Run(ctx context.Context) {
	if w.Quiet == 0 {
		w.Quiet = 500 * time.Millisecond
	}
	if w.Poll == 0 {
		w.Poll = 30 * time.Second
	}
	last := w.Since
	events, watcher := w.watcher()
	if watcher != nil {
		defer watcher.Close()
	}
	poll := time.NewTicker(w.Poll)
	defer poll.Stop()
	begin := make(chan struct{}, 1)
	begin <- struct{}{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.Now:
			if sum, err := hashDir(w.Dir); err == nil {
				last = sum
			}
			w.Changed("signal")
			continue
		case <-begin: // what changed before there was anyone to watch
		case <-events:
		case <-poll.C:
		}
		sum, ok := w.settle(ctx, events)
		if watcher != nil {
			addFolders(watcher, w.Dir)
		}
		if ok && sum != last {
			last = sum
			w.Changed("files changed")
		}
	}
}

// settle waits until the folder has been quiet and hashes the same twice.
func (w Watch) settle(ctx context.Context, events <-chan fsnotify.Event) (sum [32]byte, ok bool) {
	sum, err := hashDir(w.Dir)
	for {
		quiet := time.NewTimer(w.Quiet)
	drain:
		for {
			select {
			case <-ctx.Done():
				quiet.Stop()
				return sum, false
			case <-events:
				quiet.Reset(w.Quiet)
			case <-quiet.C:
				break drain
			}
		}
		again, errAgain := hashDir(w.Dir)
		if err == nil && errAgain == nil && again == sum {
			return sum, true
		}
		if errAgain != nil {
			w.Log.Warn("cannot read the watched folder", "dir", w.Dir, "error", errAgain)
			return sum, false
		}
		sum, err = again, nil
	}
}

func (w Watch) watcher() (<-chan fsnotify.Event, *fsnotify.Watcher) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.Log.Warn("the system refuses to watch files; polling instead", "every", w.Poll.String(), "error", err)
		return nil, nil
	}
	addFolders(watcher, w.Dir)
	return watcher.Events, watcher
}

// addFolders watches dir and the folders in it; adding one twice does nothing.
func addFolders(watcher *fsnotify.Watcher, dir string) {
	// What cannot be watched is polled; there is nothing else to do about it.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		return watcher.Add(path)
	})
}

// Fingerprint is what Watch.Since wants; zero, which equals no folder's, when the
// folder cannot be read.
func Fingerprint(dir string) [sha256.Size]byte {
	sum, err := hashDir(dir)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sum
}

// hashDir is the SHA-256 over names and contents of the visible files in dir.
func hashDir(dir string) (sum [32]byte, err error) {
	h := sha256.New()
	files, size := 0, 0
	root := os.DirFS(dir)
	err = fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		data := contents(root, path)
		if files, size = files+1, size+len(data); files > maxWatched || size > maxWatchedSize {
			return errors.New("more than 2000 files or 16 MiB: is this the policy folder?")
		}
		// Lengths first, or moving a byte from a name to a file would not show.
		var lengths [16]byte
		binary.BigEndian.PutUint64(lengths[:8], uint64(len(path)))
		binary.BigEndian.PutUint64(lengths[8:], uint64(len(data)))
		h.Write(lengths[:])
		h.Write([]byte(path))
		h.Write(data)
		return nil
	})
	copy(sum[:], h.Sum(nil))
	return sum, err
}

// contents is what a file holds, as far as the bound of the folder, or the
// reason why that cannot be told: whoever loads the folder will meet the same
// and report it, while a hash that fails would leave every other edit unseen.
// Nothing but a regular file is opened, for a pipe waits for its writer, and
// who can put a name into the folder could end all reloads with one.
func contents(root fs.FS, path string) []byte {
	info, err := fs.Stat(root, path)
	if err != nil {
		return []byte(err.Error())
	}
	if !info.Mode().IsRegular() {
		return []byte(info.Mode().Type().String())
	}
	file, err := root.Open(path)
	if err != nil {
		return []byte(err.Error())
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxWatchedSize+1))
	if err != nil {
		return []byte(err.Error())
	}
	return data
}
