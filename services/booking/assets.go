package booking

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/go-chi/chi/v5"
)

//go:embed assets templates
var files embed.FS

const assetsPath = "/assets/"

// assets are the files that pages refer to. Their names hold the hash of their
// content, so that a browser may keep them for ever.
type assets struct {
	paths  map[string]string // by file name
	served map[string]asset
}

type asset struct {
	media string
	body  []byte
}

func loadAssets() (*assets, error) {
	a := &assets{paths: map[string]string{}, served: map[string]asset{}}
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	media := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, entry := range entries {
		extension := path.Ext(entry.Name())
		body, err := files.ReadFile("assets/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read an asset: %w", err)
		}
		if media[extension] == "" {
			return nil, fmt.Errorf("the asset %s has no media type", entry.Name())
		}
		sum := sha256.Sum256(body)
		name := strings.TrimSuffix(entry.Name(), extension) + "-" + hex.EncodeToString(sum[:8]) + extension
		a.paths[entry.Name()] = assetsPath + name
		a.served[name] = asset{media[extension], body}
	}
	return a, nil
}

// Path is where browsers find a file.
func (a *assets) Path(file string) (string, error) {
	p, ok := a.paths[file]
	if !ok {
		return "", fmt.Errorf("there is no asset %q", file)
	}
	return p, nil
}

func (s *Service) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets.served[chi.URLParam(r, "name")]
	if !ok {
		s.serve(s.nowhere)(w, r)
		return
	}
	w.Header().Set("Content-Type", a.media)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body) // the client's loss
}

func (s *Service) parse() (*template.Template, error) {
	page, err := template.New("pages").Funcs(functions()).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	return page, nil
}
