package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"strconv"
	"strings"
)

// gitPrefix begins a revision in place of a folder.
const gitPrefix = "git:"

// revisionMost bounds what is read of a revision, in bytes: more than the
// loader takes of policies.
const revisionMost = 64 << 20

// openOld opens the older side: a folder, or the folder dir at a revision. It
// also tells how to call it.
func openOld(ctx context.Context, old, dir string) (fs.FS, string, error) {
	ref, isRevision := strings.CutPrefix(old, gitPrefix)
	if !isRevision {
		files, err := openFolder(old)
		return files, old, err
	}
	files, err := repository(dir).open(ctx, ref)
	if err != nil {
		return nil, "", fmt.Errorf("%q: %w", old, err)
	}
	return files, old, nil
}

// repository is a folder in a git repository, read through the git command. Only
// objects are read: no hook, filter or attribute of the repository is asked.
type repository string

// open is the folder as it was at a revision.
func (r repository) open(ctx context.Context, ref string) (fs.FS, error) {
	if ref == "" || strings.HasPrefix(ref, "-") {
		return nil, fmt.Errorf("%q is not a revision; write git:main", ref)
	}
	commit, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if _, silent := errors.AsType[*exec.ExitError](err); silent {
		return nil, fmt.Errorf("there is no revision %q in the repository of %s", ref, string(r))
	} else if err != nil {
		return nil, err
	}
	// Names come relative to the folder, and nothing beside it is listed.
	listed, err := r.git(ctx, "ls-tree", "-r", "-z", "-l", strings.TrimSpace(string(commit)))
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	pack := zip.NewWriter(&packed)
	total := 0
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		if entry == "" {
			continue
		}
		facts, name, ok := strings.Cut(entry, "\t")
		fields := strings.Fields(facts) // mode, type, object, size
		if !ok || len(fields) != 4 {
			return nil, fmt.Errorf("git lists %q", entry)
		}
		if fields[1] == "commit" {
			// Its files lie in the folder, and their text in another repository.
			return nil, fmt.Errorf("%q is a submodule at that revision, and cannot be read from here", name)
		}
		if !wanted(name) {
			continue
		}
		if fields[0] != "100644" && fields[0] != "100755" {
			// Skipping it in silence could drop a deny rule of the older side.
			return nil, fmt.Errorf("%q is not a regular file at that revision", name)
		}
		size, err := strconv.Atoi(fields[3])
		if err != nil {
			return nil, fmt.Errorf("git lists %q", entry)
		}
		if total += size; total > revisionMost {
			return nil, fmt.Errorf("the folder is larger than %d bytes at that revision", revisionMost)
		}
		data, err := r.git(ctx, "cat-file", "blob", fields[2])
		if err != nil {
			return nil, err
		}
		w, err := pack.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := pack.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
}

// wanted are the files that policies are made of.
func wanted(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json", ".conf":
		return true
	}
	return false
}

func (r repository) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", string(r)}, args...)...)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		return nil, errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	return out, err
}
