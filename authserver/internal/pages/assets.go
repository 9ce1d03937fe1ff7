package pages

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
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
	// Style and Mark are paths.
	Style, Mark string
	served      map[string]asset
}

type asset struct {
	media string
	body  []byte
}

func loadAssets() (assets, error) {
	a := assets{served: map[string]asset{}}
	for file, media := range map[string]string{"portcullis.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml"} {
		body, err := files.ReadFile("assets/" + file)
		if err != nil {
			return assets{}, fmt.Errorf("read an asset: %w", err)
		}
		sum := sha256.Sum256(body)
		extension := path.Ext(file)
		name := strings.TrimSuffix(file, extension) + "-" + hex.EncodeToString(sum[:8]) + extension
		a.served[name] = asset{media, body}
		if extension == ".css" {
			a.Style = assetsPath + name
		} else {
			a.Mark = assetsPath + name
		}
	}
	return a, nil
}

func (p *Pages) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets.served[chi.URLParam(r, "name")]
	if !ok {
		p.Error(w, r, http.StatusNotFound, "There is no such file", "It may belong to an older version of this page.", "Go back and load the page again.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body) // the client's loss
}
