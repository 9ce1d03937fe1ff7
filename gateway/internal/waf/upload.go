package waf

import (
	"errors"
	"io"
	"sync"

	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"portcullis/gateway/internal/waf/collect"
)

// readFormsInMemory gives the engine our reader of multipart forms. Its own
// writes each file of a form to the disk, for rules that hand files to a scanner:
// we have none, disks fill up, and bodies must never reach one. The engine keeps
// its readers for the whole process, hence once.
var readFormsInMemory = sync.OnceFunc(func() {
	plugins.RegisterBodyProcessor("multipart", func() plugintypes.BodyProcessor { return uploads{} })
})

// uploads reads multipart forms with the reader that bounded them, so that the
// rules see the parts that were bounded and no others. What it fills in is what
// the engine's own reader does, but for the files' copies.
type uploads struct{}

// ProcessRequest fills in the variables of a form. A form that is not clear is
// an error, for which rule 200002 refuses the request.
func (uploads) ProcessRequest(body io.Reader, v plugintypes.TransactionVariables, o plugintypes.BodyProcessorOptions) error {
	all, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	w := collect.New(nil, collect.Bounds{Args: o.ArgumentLimit})
	to := &uploaded{TransactionVariables: v}
	return errors.Join(w.Multipart(string(all), o.Mime, to), to.err)
}

// ProcessResponse does nothing: nobody answers with a form.
func (uploads) ProcessResponse(io.Reader, plugintypes.TransactionVariables, plugintypes.BodyProcessorOptions) error {
	return nil
}

// uploaded are the variables of a transaction, to be filled from a form.
type uploaded struct {
	plugintypes.TransactionVariables
	err error
}

// Value puts a value where the engine's own reader does.
func (s *uploaded) Value(v collect.Variable, name, value string) bool {
	switch v {
	case collect.ArgsPost:
		s.ArgsPost().Add(name, value)
	case collect.MultipartPartHeaders:
		s.MultipartPartHeaders().Add(name, value)
	case collect.MultipartName:
		s.MultipartName().Add(name, value)
	case collect.MultipartFilename:
		s.MultipartFilename().Add(name, value)
	case collect.Files:
		s.Files().Add(name, value)
	case collect.FilesNames:
		s.FilesNames().Add(name, value)
	case collect.FilesSizes:
		s.FilesSizes().SetIndex(name, 0, value)
	case collect.FilesCombinedSize:
		single, ok := s.FilesCombinedSize().(interface{ Set(value string) })
		if !ok {
			s.err = errors.New("the engine does not let FILES_COMBINED_SIZE be set")
			return false
		}
		single.Set(value)
	case collect.ArgsPostNames: // the engine's own view of ARGS_POST
	}
	return true
}
