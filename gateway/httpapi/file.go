package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
)

// file is a content that is the same for everybody as long as the process runs.
type file struct {
	mediaType string
	content   []byte
	tag       string            // opaque, of the content
	header    map[string]string // what else goes with it
}

func newFile(mediaType string, content []byte) file {
	sum := sha256.Sum256(content)
	return file{mediaType: mediaType, content: content, tag: hex.EncodeToString(sum[:16])}
}

func serveFile(f file) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("ETag", `"`+f.tag+`"`)
		c.Header("Cache-Control", "no-cache") // kept, and asked for again each time: a new version is seen at once
		for name, value := range f.header {
			c.Header(name, value)
		}
		if matches(c.Request.Header.Values("If-None-Match"), f.tag) {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return
		}
		c.Header("Content-Length", strconv.Itoa(len(f.content)))
		c.Data(http.StatusOK, f.mediaType, f.content)
	}
}
