package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// bodies reads the schemas that routes name, and lists them.
func (d *decoder) bodies(fsys fs.FS) []string {
	for _, r := range d.doc.Routes {
		if r.Validate == nil || !r.Validate.Schema.Set {
			continue
		}
		name := r.Validate.Schema
		if _, read := d.doc.files[name.V]; read {
			continue
		}
		data, err := body(fsys, name.V)
		if err != nil {
			d.report(name.Pos, CodeFile, fmt.Sprintf("%q cannot be the schema of a body", name.V), err.Error(), "name a JSON Schema below the policy folder: bodies/note.json")
			continue
		}
		d.doc.files[name.V] = data
	}
	return slices.Sorted(maps.Keys(d.doc.files))
}

func body(fsys fs.FS, name string) ([]byte, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, errors.New("the path must lead straight below the policy folder")
	case path.Ext(name) != ".json":
		return nil, errors.New("the name must end in .json")
	case strings.HasPrefix(name, ".") || strings.Contains(name, "/."):
		return nil, errors.New("hidden files are not read")
	}
	data, err := read(fsys, name)
	if err == nil && !json.Valid(data) {
		err = errors.New("the file is not JSON")
	}
	return data, err
}
