package store

// Expand gives a query in the words of SQLite.
func Expand(query string) string { return sqliteDialect.expand(query) }
