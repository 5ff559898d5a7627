"""The endings of names: which of them no program knows."""

import mimetypes

# What the table of a system without a list of its own lacks, and people have.
_KNOWN = frozenset(
    # Office.
    "docx docm dotx dotm xlsx xlsm xlsb xltx xltm xlam pptx pptm potx potm ppsx ppsm sldx vsd "
    "vsdx vsdm mpp pub one onetoc2 onepkg accdb accde mdb laccdb odt ott ods ots odp otp odg otg "
    "odf odb odc odi odm fodt fods fodp fodg sxw sxc sxi pages numbers key wpd wps wks djvu epub "
    "mobi azw3 fb2 md markdown rst log ini cfg conf toml yaml yml url lnk webloc desktop msg pst "
    "ost mbox ics ifb vcs ldif "
    # Pictures, sound, film.
    "jpeg2 jp2 jxl heif dng cr2 cr3 nef nrw arw orf rw2 raf raw psd psb xcf kra ora cdr indd idml "
    "eps wmf emf svgz webp ico thm xmp aae m4a m4b m4v mkv flac ogg oga ogv opus wma wmv flv vob "
    "mts m2ts aup3 srt sub "
    # Plans and maps.
    "dwg dxf dwf dwt dgn rvt rfa ifc skp blend stl step stp iges igs sldprt sldasm shp shx dbf prj "
    "cpg qgs qgz qml gpkg gpx kml kmz geojson tab mif las laz "
    # Archives, images of disks, programs.
    "7z rar gz bz2 xz zst lz4 lzma tgz tbz2 txz cab arj lzh iso img vmdk vhd vhdx qcow2 ova deb "
    "rpm msi apk jar war sqlite sqlite3 db sql parquet java kt go rs ts tsx jsx php rb lua vue "
    "scss ttf otf woff woff2 "
    # Accounts, elections, signatures and keys, which a town hall exchanges.
    "xbrl pes xhl edi csvx fec qif ofx asc sig gpg pgp p7m p7s p7b cer crt crl der pem pfx kdbx "
    "age ovpn md5 sha1 sha256 par2 torrent".split()
)
# What programs give to a former content, or to one that is not complete.
_PASSING = frozenset(
    "bak backup bk bkp old orig save sav previous prev tmp temp new swp swo swx autosave asd wbk "
    "xlk part partial crdownload download filepart opdownload upload uploading sync "
    "rej".split()
)


def ending(name: str) -> str:
    """What follows the last dot of `name`, in small letters; "" without one.

    A dot at the beginning hides a file, and a number or several words are no ending.
    """
    stem, _, last = name.rpartition(".")
    if not stem or last.isdigit() or any(c.isspace() for c in last):
        return ""
    return last.casefold()


def is_foreign(ending: str) -> bool:
    """Whether no program is known to give this ending to a document."""
    if not ending or ending in _KNOWN or ending in _PASSING:
        return False
    # `name.odt~` of editors, `name.sb-1a2b3c4d-Xy` of macOS.
    if ending.endswith("~") or ending.startswith("sb-"):
        return False
    return mimetypes.guess_type(f"x.{ending}", strict=False) == (None, None)
