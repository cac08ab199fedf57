"""Aspose.Imaging Cloud's imageSearch and storage, as its SDKs and its tutorial speak."""
