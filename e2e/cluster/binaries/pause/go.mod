module copepod.dev/pause

go 1.26
