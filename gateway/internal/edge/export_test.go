package edge

// CanonicalPath is what routes that take no escaped slash make of a path.
func CanonicalPath(raw string) (string, error) {
	path, slash, err := canonicalPath(raw)
	if err == nil && slash {
		path, err = "", errSlash
	}
	return path, err
}
